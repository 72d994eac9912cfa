"""S3 as moto plays it, with one bucket, and with every signature checked.

Arguments: the port, and a list of objects as JSON: [{"key": …, "bytes": …, "age": seconds}, …].
Prints one line of JSON with the keys of a user who may list and one who may not.
"""

import datetime
import json
import sys
import threading

from moto import settings
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

ACCOUNT = "123456789012"
MAY_LIST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": "*"}],
}


def user(name, policy=None):
    iam = iam_backends[ACCOUNT]["aws"]
    iam.create_user("us-east-1", name)
    if policy:
        iam.put_user_policy(name, "policy", json.dumps(policy))
    key = iam.create_access_key(name)
    return f"{key.access_key_id}:{key.secret_access_key}"


def main():
    port, objects = int(sys.argv[1]), json.loads(sys.argv[2])
    s3 = s3_backends[ACCOUNT]["aws"]
    s3.create_bucket("exports", "us-east-1")
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    for each in objects:
        stored = s3.put_object("exports", each["key"], b"x" * each["bytes"])
        stored.last_modified = now - datetime.timedelta(seconds=each["age"])
    users = {"reader": user("reader", MAY_LIST), "nobody": user("nobody")}
    # Every request needs a signature that moto works out to be right.
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False).start()
    print(json.dumps(users), flush=True)
    threading.Event().wait()


main()
