//! File descriptors: none is left open, and running out of them is not the target's fault.
//!
//! Both are facts of a whole process, so each runs in one of its own.

use testkit::hostile::{Fault, Hostile};
use testkit::http::{Reply, Server};

use super::*;

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("Linux has /proc").count()
}

#[test]
fn no_descriptor_is_left_open() {
    trial::alone("http::tests::descriptors::inside_runs_leave_nothing_open");
}

#[tokio::test]
#[ignore = "counts the files of the whole process: run by no_descriptor_is_left_open"]
async fn inside_runs_leave_nothing_open() {
    let (server, silent) = (Server::start(), Hostile::start(Fault::HalfOpen));
    server.on("/", Reply::ok("hello"));
    server.on("/cut", Reply::ok("hello").broken());
    let shared = trial::shared();
    let runs = async |count: usize| {
        for _ in 0..count {
            for path in ["/", "/cut"] {
                trial::run(&KIND, get(server.url(path)), &shared, trial::PATIENCE).await;
            }
            let url = format!("http://{}/", silent.addr());
            trial::run(&KIND, get(url), &shared, Duration::from_millis(5)).await;
        }
    };
    runs(1).await;
    testkit::wait::until("the server to notice", trial::PATIENCE, || server.open_connections() == 0).await;
    let held = || open_files() - silent.open_connections();
    let before = held();
    runs(20).await;
    testkit::wait::until("every file to be closed", trial::PATIENCE, || held() <= before).await;
}

#[test]
fn running_out_of_descriptors_is_not_the_targets_fault() {
    trial::alone("http::tests::descriptors::inside_a_run_without_descriptors_is_local");
}

#[tokio::test]
#[ignore = "takes all files of the whole process: run by running_out_of_descriptors_is_not_the_targets_fault"]
async fn inside_a_run_without_descriptors_is_local() {
    let server = Server::start();
    server.on("/", Reply::ok("hello"));
    let taken = trial::take_descriptors();
    let without = trial::run(&KIND, get(server.url("/")), &trial::shared(), trial::PATIENCE).await;
    drop(taken);
    assert_eq!(without.failure(), "local local.fd");
    let with = trial::run(&KIND, get(server.url("/")), &trial::shared(), trial::PATIENCE).await;
    assert_eq!(with.outcome.failure, None);
}
