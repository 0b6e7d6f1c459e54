//! Samples of what is accepted, for whoever watches a project live.

use reviva_core::intake::Intaken;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Gathers the events of watched projects, at most so many a second of each.
#[derive(Debug)]
pub struct Samples {
    events_per_s: usize,
    watched: RwLock<HashMap<String, Mutex<Gathered>>>,
}

/// Events of one project since they were fetched last.
#[derive(Debug)]
struct Gathered {
    second: Instant,
    /// How many more this second takes.
    left: usize,
    lines: Vec<u8>,
    skipped: usize,
}

/// What was gathered of one project.
#[derive(Debug, PartialEq)]
pub struct Sample {
    /// Whose.
    pub project_id: String,
    /// Events, one JSON object a line.
    pub lines: Vec<u8>,
    /// How many more there were.
    pub skipped: usize,
}

impl Samples {
    /// Nothing is watched yet.
    #[must_use]
    pub fn new(events_per_s: usize) -> Self {
        Self {
            events_per_s,
            watched: RwLock::default(),
        }
    }

    /// Says which projects are watched.
    pub fn set_watched(&self, project_ids: HashSet<String>) {
        let mut watched = self.watched.write().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|project_id, _| project_ids.contains(project_id));
        for project_id in project_ids {
            watched.entry(project_id).or_insert_with(|| {
                Mutex::new(Gathered {
                    second: Instant::now(),
                    left: self.events_per_s,
                    lines: Vec::new(),
                    skipped: 0,
                })
            });
        }
    }

    /// Gathers what was accepted, where somebody watches.
    pub fn offer(&self, intaken: &Intaken) {
        let watched = self.watched.read().unwrap_or_else(PoisonError::into_inner);
        let Some(gathered) = watched.get(&intaken.project_id) else {
            return;
        };
        let mut gathered = gathered.lock().unwrap_or_else(PoisonError::into_inner);
        if gathered.second.elapsed() >= Duration::from_secs(1) {
            gathered.second = Instant::now();
            gathered.left = self.events_per_s;
        }
        let taken = intaken.accepted.min(gathered.left);
        if taken > 0 {
            gathered.lines.extend(intaken.live_json(taken));
        }
        gathered.left -= taken;
        gathered.skipped += intaken.accepted - taken;
    }

    /// Fetches what was gathered since the last time.
    #[must_use]
    pub fn fetch(&self) -> Vec<Sample> {
        let watched = self.watched.read().unwrap_or_else(PoisonError::into_inner);
        let samples = watched.iter().map(|(project_id, gathered)| {
            let mut gathered = gathered.lock().unwrap_or_else(PoisonError::into_inner);
            Sample {
                project_id: project_id.clone(),
                lines: std::mem::take(&mut gathered.lines),
                skipped: std::mem::take(&mut gathered.skipped),
            }
        });
        samples
            .filter(|sample| !sample.lines.is_empty() || sample.skipped > 0)
            .collect()
    }
}
