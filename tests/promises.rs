//! What a scenario promises, as its owner sees it: in `list` and in `explain`.

use serde_json::Value;
use testkit::http::Server;

use crate::support::Project;

/// A project with a promise and one without, against a server of their own.
fn project(server: &Server) -> Project {
    let project = Project::new("");
    project.write(
        "prober.yaml",
        "version: 1\nnetwork: { private: allow }\nroutes:\n  shop-oncall: { alertmanager: \"http://127.0.0.1:9093\" }\n  shop-tickets: { webhook: \"https://hooks.example/ticket\" }\n",
    );
    let head = format!(
        "aim: The cart answers.\nowner: shop\nrunbook: https://wiki.example/cart\nevery: 1m\nhttp: {}\n",
        server.url("/")
    );
    let promise = "# prober: allow W310 because the policy's floor decides, and we know\nslo: { objective: 99.9% }\nalerts: { page: shop-oncall, ticket: shop-tickets }\n";
    project.write("scenarios/cart.yaml", &format!("name: cart\n{head}{promise}"));
    project
        .write("scenarios/stock.yaml", &format!("name: stock\n{}", head.replace("every: 1m", "every: 2m")));
    project
}

#[test]
fn promises_are_listed_and_explained_in_runs() {
    let server = Server::start();
    let project = project(&server);
    let ran = project.prober(&["list"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for part in ["objective", "99.9% in 30d", "shop-oncall"] {
        assert!(ran.out.contains(part), "{part} is not in\n{}", ran.out);
    }
    let listed: Vec<Value> =
        serde_json::from_str(&project.prober(&["list", "--format", "json"]).out).unwrap();
    assert_eq!(listed[0]["objective"]["target"], "99.9%");
    assert_eq!(listed[0]["alerts"]["page"][0], "shop-oncall");
    assert_eq!(listed[1]["objective"], Value::Null);

    let ran = project.prober(&["explain", "slo", "cart"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for part in ["43,200 in 30d", "43.2 of them may be bad", "2.31% of the budget"] {
        assert!(ran.out.contains(part), "{part} is not in\n{}", ran.out);
    }
    assert!(project.prober(&["explain", "slo", "stock"]).out.contains("promises nothing"));
    let ran = project.prober(&["explain", "slo", "cort"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("did you mean `cart`?"), "{ran:?}");
    assert_eq!(project.prober(&["explain", "sla", "cart"]).code, Some(2));
}
