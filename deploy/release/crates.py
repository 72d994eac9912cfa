"""What `cargo metadata` says of the crates that are in the program, as a list of licences or a bill of materials.

Only what is built into it counts: no dependencies of tests and benches, none of build scripts.
"""

import json
import os
import sys
import tomllib
from datetime import datetime, timezone


def is_built_in(dependency):
    return any(kind["kind"] is None for kind in dependency["dep_kinds"])


def crates(metadata):
    """The root package, and every package that is built into it, sorted by name and version."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    seen, todo = {root}, [root]
    while todo:
        for dependency in nodes[todo.pop()]["deps"]:
            if dependency["pkg"] not in seen and is_built_in(dependency):
                seen.add(dependency["pkg"])
                todo.append(dependency["pkg"])
    packages = {package["id"]: package for package in metadata["packages"]}
    depends = {
        identity: sorted(dep["pkg"] for dep in nodes[identity]["deps"] if is_built_in(dep) and dep["pkg"] in seen)
        for identity in seen
    }
    chosen = sorted((packages[identity] for identity in seen), key=lambda one: (one["name"], one["version"]))
    return packages[root], chosen, depends


def licences(chosen):
    missing = [one["name"] for one in chosen if not one.get("license") and not one.get("license_file")]
    if missing:
        sys.exit(f"no licence is known of {', '.join(missing)}")
    for one in chosen:
        print(f"{one['name']} {one['version']}  {one.get('license') or one['license_file']}")


def checksums():
    with open("Cargo.lock", "rb") as lock:
        packages = tomllib.load(lock)["package"]
    return {(one["name"], one["version"]): one["checksum"] for one in packages if "checksum" in one}


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, sums):
    made = {
        "type": "library",
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        "purl": purl(package),
    }
    if package.get("license"):
        # Old manifests write `/` where SPDX says OR.
        made["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    checksum = sums.get((package["name"], package["version"]))
    if checksum:
        made["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return made


def sbom(root, chosen, depends):
    sums = checksums()
    references = {one["id"]: purl(one) for one in chosen}
    at = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), timezone.utc)
    program = component(root, sums) | {"type": "application"}
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "component": program},
        "components": [component(one, sums) for one in chosen if one["id"] != root["id"]],
        "dependencies": [
            {"ref": references[one["id"]], "dependsOn": [references[dep] for dep in depends[one["id"]]]}
            for one in chosen
        ],
    }
    json.dump(bill, sys.stdout, indent=1)
    print()


def main():
    root, chosen, depends = crates(json.load(sys.stdin))
    if sys.argv[1] == "licences":
        licences(chosen)
    else:
        sbom(root, chosen, depends)


main()
