//! SLO files, once all scenarios are known.

use std::sync::Arc;

use super::Compiler;
use super::parts::SharedParts;
use crate::adjustment::{self, Known};
use crate::diagnostic::Report;
use crate::file::ScenarioFile;
use crate::slo::{Around, JointSlo, Member, read_joint, take_name};
use crate::source::{Source, Spanned};

impl<N> Compiler<'_, N> {
    /// Notes what a scenario promises by itself, and what promises over several may ask of it.
    pub(super) fn promised(
        &mut self,
        scenario: &ScenarioFile<'_, N>,
        shared: &SharedParts,
        report: &mut Report,
    ) {
        let slo = &shared.slo;
        // A scenario without an objective that alerts is judged under its own name.
        let objective = slo.objective.as_ref().map(|objective| &objective.name);
        if let Some(name) = objective.or_else(|| slo.alerts().then_some(&shared.name)) {
            let name = Spanned::new(name.to_string(), scenario.name.span);
            take_name(&name, &mut self.objectives, report);
        }
        let Some(members) = &mut self.members else { return };
        members.push(Member {
            name: Arc::clone(&shared.name),
            service: Arc::clone(&shared.service),
            labels: shared.labels.clone(),
            regions: scenario.regions.clone(),
            cadence: scenario.cadence.clone(),
            timeout: scenario.timeout,
        });
    }

    /// The promises of the SLO files.
    pub(super) fn joint_slos(
        &mut self,
        files: &[Source],
        is_whole: bool,
        report: &mut Report,
    ) -> Vec<JointSlo> {
        let members = self.members.take().unwrap_or_default();
        let around = Around { project: self.around.project, members: &members, is_whole };
        let read = std::mem::take(&mut self.slo_files);
        let promises = read.iter().filter_map(|(index, root)| {
            read_joint((root, &files[*index]), &around, &mut self.objectives, report)
        });
        promises.collect()
    }

    /// What adjustments name must be there.
    pub(super) fn adjustments(&self, is_whole: bool, report: &mut Report) {
        let project = self.around.project;
        let scenarios = self.seen.keys().map(|name| name.as_str().into()).collect();
        let regions = project.regions();
        let known = Known { objectives: &self.objectives, scenarios, regions, is_whole };
        adjustment::check(&project.adjustments, &known, report);
    }
}
