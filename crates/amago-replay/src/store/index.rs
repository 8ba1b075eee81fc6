//! What is stored, in memory: a few bytes per trajectory.

use std::collections::VecDeque;

/// The parts of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The oldest are dropped when a limit is exceeded.
    Fifo,
    /// Never dropped.
    Protected,
    /// Episodes of other formats, where the store only reads.
    Foreign,
}

/// Which trajectory of a store. Numbers ascend with age within a part; both parts may hold the same number, because
/// files may be put into `protected/` by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrajectoryId {
    /// Its part.
    pub part: Part,
    /// The number in its file's name.
    pub number: u64,
}

/// One stored trajectory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Sequence number.
    pub id: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Number of transitions.
    pub transitions: usize,
}

/// Entries of one part, by ascending id, and their sums.
#[derive(Debug, Default)]
pub(super) struct Entries {
    list: VecDeque<Entry>,
    /// Bytes of all files.
    pub bytes: u64,
    /// Transitions of all trajectories.
    pub transitions: u64,
}

impl Entries {
    fn insert(&mut self, entry: Entry) {
        // Appends of several threads may finish out of order, so the end is only nearly right.
        let at = self.list.partition_point(|e| e.id < entry.id);
        self.list.insert(at, entry);
        self.bytes += entry.bytes;
        self.transitions += entry.transitions as u64;
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        let at = self.list.binary_search_by_key(&id, |e| e.id).ok()?;
        let entry = self.list.remove(at)?;
        self.bytes -= entry.bytes;
        self.transitions -= entry.transitions as u64;
        Some(entry)
    }

    /// Number of trajectories.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Ids, ascending.
    pub fn ids(&self) -> impl Iterator<Item = u64> {
        self.list.iter().map(|e| e.id)
    }

    /// The trajectories, by ascending id.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.list.iter()
    }

    /// The trajectory that was stored first.
    pub fn oldest(&self) -> Option<Entry> {
        self.list.front().copied()
    }
}

/// Everything that is stored.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The part that limits apply to.
    pub fifo: Entries,
    /// The part that is never dropped.
    pub protected: Entries,
    /// Episodes of other formats.
    pub foreign: Entries,
}

impl Index {
    fn part_mut(&mut self, part: Part) -> &mut Entries {
        match part {
            Part::Fifo => &mut self.fifo,
            Part::Protected => &mut self.protected,
            Part::Foreign => &mut self.foreign,
        }
    }

    /// Adds a trajectory.
    pub fn insert(&mut self, part: Part, entry: Entry) {
        self.part_mut(part).insert(entry);
    }

    /// Forgets a trajectory; `None` when it is not in this part.
    pub fn remove(&mut self, part: Part, id: u64) -> Option<Entry> {
        self.part_mut(part).remove(id)
    }

    fn part(&self, part: Part) -> &Entries {
        match part {
            Part::Fifo => &self.fifo,
            Part::Protected => &self.protected,
            Part::Foreign => &self.foreign,
        }
    }

    /// Whether a trajectory is in this part.
    pub fn contains(&self, part: Part, id: u64) -> bool {
        self.part(part).list.binary_search_by_key(&id, |e| e.id).is_ok()
    }

    /// Numbers of a part's trajectories, ascending.
    pub fn numbers(&self, part: Part) -> impl Iterator<Item = u64> {
        self.part(part).ids()
    }

    /// All parts, in the order in which [`Index::nth`] counts.
    fn parts(&self) -> [(Part, &Entries); 3] {
        [(Part::Protected, &self.protected), (Part::Fifo, &self.fifo), (Part::Foreign, &self.foreign)]
    }

    /// Number of trajectories in all parts.
    pub fn len(&self) -> usize {
        self.parts().map(|(_, part)| part.len()).iter().sum()
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.parts().map(|(_, part)| part.bytes).iter().sum()
    }

    /// Transitions of all trajectories.
    pub fn transitions(&self) -> u64 {
        self.parts().map(|(_, part)| part.transitions).iter().sum()
    }

    /// Trajectory number `i < len()`: the protected ones, then the others, each by age.
    pub fn nth(&self, mut i: usize) -> TrajectoryId {
        for (part, entries) in self.parts() {
            match entries.list.get(i) {
                Some(entry) => return TrajectoryId { part, number: entry.id },
                None => i -= entries.len(),
            }
        }
        unreachable!("there are fewer trajectories")
    }
}
