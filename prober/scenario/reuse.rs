//! Reuse: templates with typed parameters, the matrix, and the envelope of Kubernetes.
//!
//! Everything here works on trees that know their places, so a mistake in a template's body is shown in the
//! template, one in an argument in the scenario, and a template is read once however often it is used.
//!
//! # The rule of `use`
//!
//! A scenario that uses a template is the template's body with the scenario's own keys put over it:
//!
//! 1. A key of the scenario replaces the body's key **whole**: `expect` in the scenario is all that is
//!    expected, nothing of the body's `expect` is left.
//! 2. `vars` and `labels` are joined name by name instead; the scenario's value wins.
//! 3. `every` and `cron` are one thing: a scenario with either replaces the body's `every`, `cron` and
//!    `timezone` together.
//! 4. `name`, `use`, `with`, `matrix` and `was` belong to scenarios and cannot stand in a body, so a template
//!    cannot use another one and nothing can go round in circles.
//!
//! In the body `${params.…}` are the scenario's arguments, else the parameters' defaults; arguments may use
//! `vars`, `secrets`, `matrix`, `region` and `run`. A body does not see the scenario's matrix.
//!
//! # The rule of `matrix`
//!
//! Every combination of one value of each key is an instance, named `name[key=value,…]` in the order of the
//! file. Its keys are labels of the instance, `${matrix.key}` is its value, and it is stronger than a
//! variable of the same name.

mod arguments;
mod assembled;
mod envelope;
mod keys;
mod matrix;
mod merge;
mod params;
mod template_file;

pub use keys::{ENVELOPE_KEYS, MATRIX_KEY, METADATA_KEYS, PARAM_KEYS, TEMPLATE_KEYS, USE_KEY, WITH_KEY};
pub use matrix::{INSTANCES_MAX, base_name};

pub(crate) use arguments::Arguments;
pub(crate) use assembled::Assembled;
pub(crate) use envelope::unwrap;
pub(crate) use matrix::{Cell, suffix};
pub(crate) use params::Param;
pub(crate) use template_file::{SCENARIO_ONLY, Templates};
