//! Tracking plans: which are in force, and what they make of an event.

use super::run::Run;
use crate::enrich::Arena;
use crate::event::Event;
use crate::plan::{PlanError, Plans, ProjectPlans, Stated};
use crate::varint;
use crate::verdict::Flaw;
use crate::wire::tree::Original;
use std::sync::{Arc, PoisonError, RwLock};

/// The plans that are in force.
#[derive(Debug, Default)]
pub(super) struct PlansInForce(RwLock<Arc<Plans>>);

impl PlansInForce {
    /// Replaces them all; compiles before anybody has to wait.
    pub fn set(&self, stated: &[Stated]) -> Vec<PlanError> {
        let (plans, errors) = Plans::new(stated);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(plans);
        errors
    }

    /// Those of a project that has any.
    pub fn of(&self, project_id: &str) -> Option<Arc<ProjectPlans>> {
        let plans = self.0.read().unwrap_or_else(PoisonError::into_inner);
        plans.of(project_id)
    }
}

impl Run<'_> {
    /// Returns how an event breaks a plan that only reports, and writes it into the event.
    ///
    /// # Errors
    /// How it breaks an enforced plan.
    #[inline]
    pub(super) fn hold_against_plan<'e>(
        &self,
        event: &mut Event<'e>,
        original: &[u8],
        arena: &'e Arena,
    ) -> Result<Option<Box<Flaw>>, Box<Flaw>> {
        let plan = self.plans.as_ref().and_then(|plans| plans.of(event));
        let Some(plan) = plan else {
            return Ok(None);
        };
        let original = Original {
            bytes: original,
            format: self.sender.request.format,
            path_call: self.sender.request.path_call(),
            depth: self.intake.options.max_depth,
        };
        match plan.violation(event, original) {
            None => Ok(None),
            Some(flaw) if plan.is_enforced => Err(flaw),
            Some(flaw) => {
                let mut run = Vec::new();
                varint::put_bytes(&mut run, flaw.path.as_bytes());
                varint::put_bytes(&mut run, flaw.message.as_bytes());
                event.violation = arena.alloc_slice_copy(&run);
                Ok(Some(flaw))
            }
        }
    }
}
