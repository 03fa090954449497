//! Pictures that were taken from the backlog, started by host in turn: a host that is silent
//! takes its places and no more, and others go on beside it.

use std::collections::{HashMap, VecDeque};

use crate::db::chunks::BacklogEntry;

/// Pictures to try, by host.
pub(super) struct HostQueues {
    hosts: HashMap<String, HostQueue>,
    /// Of one host that are under way at a time.
    per_host: usize,
    started: u64,
}

#[derive(Default)]
struct HostQueue {
    waiting: VecDeque<BacklogEntry>,
    under_way: usize,
    /// When one was started last.
    turn: u64,
}

impl HostQueues {
    pub(super) fn new(per_host: usize) -> Self {
        Self { hosts: HashMap::new(), per_host: per_host.max(1), started: 0 }
    }

    pub(super) fn extend(&mut self, loaded: Vec<BacklogEntry>) {
        for entry in loaded {
            self.hosts.entry(entry.host.clone()).or_default().waiting.push_back(entry);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.hosts.values().map(|host| host.waiting.len()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hosts of which at least `enough` pictures wait.
    pub(super) fn with_enough(&self, enough: usize) -> Vec<String> {
        let full = self.hosts.iter().filter(|(_, host)| host.waiting.len() >= enough);
        full.map(|(name, _)| name.clone()).collect()
    }

    /// The next picture to try, of the host with fewest under way, of those the one whose last
    /// turn is longest ago. Where `has_capacity` says no, a host has one under way, which waits for
    /// its turn, so that others who ask the same host do not keep it for themselves.
    pub(super) fn next(&mut self, has_capacity: impl Fn(&BacklogEntry) -> bool) -> Option<BacklogEntry> {
        let per_host = self.per_host;
        let may_start = |host: &HostQueue| {
            let next = host.waiting.front()?;
            let may_start = host.under_way == 0 || (host.under_way < per_host && has_capacity(next));
            may_start.then_some((host.under_way, host.turn))
        };
        let hosts = self.hosts.values_mut().filter_map(|host| Some((may_start(host)?, host)));
        let (_, host) = hosts.min_by_key(|(key, _)| *key)?;
        self.started += 1;
        host.turn = self.started;
        host.under_way += 1;
        host.waiting.pop_front()
    }

    /// One of this host is not under way any more.
    pub(super) fn ended(&mut self, host: &str) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.under_way -= 1;
        }
        self.hosts.retain(|_, host| host.under_way > 0 || !host.waiting.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: i64, host: &str) -> BacklogEntry {
        let candidate = serde_json::from_value(serde_json::json!({ "url": format!("http://{host}/{id}") }));
        BacklogEntry {
            id,
            candidate: candidate.unwrap(),
            copy: 0,
            refused: Vec::new(),
            holds: 0,
            interruptions: 0,
            host: host.to_owned(),
            again: false,
        }
    }

    fn started(queues: &mut HostQueues, has_capacity: impl Fn(&BacklogEntry) -> bool) -> Vec<i64> {
        std::iter::from_fn(|| Some(queues.next(&has_capacity)?.id)).collect()
    }

    #[test]
    fn hosts_come_in_turn_up_to_their_places() {
        let mut queues = HostQueues::new(2);
        queues.extend((0..4).map(|id| entry(id, "a")).chain([entry(8, "b"), entry(9, "c")]).collect());
        let first = started(&mut queues, |_| true);
        assert_eq!(first.len(), 4, "{first:?}");
        assert_eq!((first[3], queues.len()), (1, 2), "the first of each, then the second of one: {first:?}");
        assert_eq!(queues.with_enough(2), ["a"]);
        queues.ended("b");
        assert!(started(&mut queues, |_| true).is_empty());
        queues.ended("a");
        assert_eq!(started(&mut queues, |_| true), [2]);
    }

    #[test]
    fn one_waits_where_there_is_no_capacity() {
        let mut queues = HostQueues::new(8);
        queues.extend(vec![entry(1, "a"), entry(2, "a"), entry(3, "b"), entry(4, "b")]);
        let first = started(&mut queues, |entry| entry.host == "b");
        assert_eq!(first.len(), 3, "{first:?}");
        assert_eq!(queues.len(), 1);
    }
}
