//! The one integration binary: the program as its users have it, against real peers on loopback.
//!
//! | module | shows |
//! | --- | --- |
//! | `account` | kills at random instants lose nothing and every slot is accounted for; stops drain |
//! | `agree` | the evaluator and the generated rules, in Prometheus' engine, on the same runs by chance |
//! | `alerts` | alerts from the store to receivers: the real Alertmanager, hostile ones, kills |
//! | `chain` | from a failing target to a page: by Prometheus and Alertmanager, and directly |
//! | `codes` | every code of a mistake: a file, its text, its example |
//! | `command_line` | what each command prints, where, and with which exit code |
//! | `compared` | our verdicts and values beside curl's and the blackbox exporter's
//! | `demo_project` | the demo, from an empty folder to an explained failure |
//! | `deploy` | shipped boards and rules, run by Prometheus on what the demo exposes |
//! | `diff` | what files would change, against a commit, a folder and a running server |
//! | `distrust` | lost networks, resolvers that are dead or lie, starved processors: nothing becomes bad |
//! | `documentation` | every command of every page is run, or is in a table that says why it is not |
//! | `editor` | what an editor says of files: its mistakes, its offers, its help |
//! | `environment` | what the machine lacks is one sentence, exit code 3, and nothing overwritten |
//! | `export` | the NDJSON exporter writes every event, rotates, and survives a kill |
//! | `files` | which files are read; nothing is left out without a word |
//! | `fleet` | agents, a hub and NATS servers on one machine: kills, wiped data, standing still; the account at the end |
//! | `fleet_access` | what each login of a fleet can do at real servers, and what it cannot |
//! | `fleet_init` | what `prober fleet init` writes, taken by a real server |
//! | `fleet_push` | `prober push`, `diff --fleet` and `doctor --fleet` with a real server |
//! | `fleet_walk` | the commands of `deploy/nats/README.md`, and an agent that is killed |
//! | `fmt` | `prober fmt` on files, links and pipes; what is shipped is canonical
//! | `hanging` | targets that hang delay nobody else |
//! | `hostile_targets` | targets that break their protocols end in the right failure, in time |
//! | `house_rules` | the layering of the crates |
//! | `import` | files of other tools become projects without a mistake, a secret or silence |
//! | `kinds` | each kind of step against a real server |
//! | `manifests` | what compose files and chart tell the program; the fleet of the compose files runs |
//! | `metrics` | the metrics page, read by promtool and Prometheus |
//! | `mistakes` | wrong files: every mistake at its place, before anything runs |
//! | `on_demand` | `/probe` beside the blackbox exporter, and where it must not lead |
//! | `objectives` | how objectives stand, what they become for other tools, the weekly report |
//! | `operate` | the service manager, the files under `deploy/` |
//! | `pages_tls` | pages over TLS, looked at by curl |
//! | `promises` | objectives and routes as their owners see them |
//! | `pushed` | exporters with receivers, real and hostile: all of it arrives, nobody is slowed, no secret shows |
//! | `reload` | SIGHUP with wrong and right files |
//! | `reuse` | templates, matrices, former names and maintenance through the whole program |
//! | `schema` | the schemas for editors and the binder agree |
//! | `secrets` | a target that echoes all it is told: no output, page, export or file has a secret |
//! | `shipped` | the scenarios that come with the program |
//! | `slo` | what is promised, judged: one page over kills, stories, stored events again |
//! | `stopping` | stops in the middle of a flow, and what runs know of earlier ones |
//! | `support` | a project in a temporary folder, and the program as a process |

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod account;
mod agree;
mod alerts;
mod chain;
mod codes;
mod command_line;
mod compared;
mod correlated;
mod demo_project;
mod deploy;
mod diff;
mod distrust;
mod documentation;
mod editor;
mod environment;
mod export;
mod files;
mod fleet;
mod fleet_access;
mod fleet_init;
mod fleet_push;
mod fleet_walk;
mod fmt;
mod hanging;
mod hostile_targets;
mod house_rules;
mod import;
mod joint;
mod kinds;
mod manifests;
mod metrics;
mod mistakes;
mod objectives;
mod on_demand;
mod operate;
mod pages_tls;
mod promises;
mod pushed;
mod reload;
mod reuse;
mod schema;
mod secrets;
mod shipped;
mod slo;
mod stopping;
mod support;
