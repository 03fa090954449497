//! Which slices give way, so that nobody has many slots while another user has none.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use uuid::Uuid;

use crate::{
    db::fairness::{RunningSlice, WaitingUser},
    model::UserId,
};

/// A slice is left alone for so long: it must be able to get somewhere.
const LEAST: Duration = Duration::from_secs(1);
/// The same where it gave way last time before it got anywhere: what is begun anew each time would
/// never be done.
const LEAST_AFTER_NOTHING: Duration = Duration::from_secs(30);

/// Whether a slice may be asked to give way by now.
fn may_end(slice: &RunningSlice) -> bool {
    let least = if slice.gave_way { LEAST_AFTER_NOTHING } else { LEAST };
    slice.seconds >= least.as_secs_f64()
}

/// The leases of slices that give way to users who wait, those that run longest first. One
/// does where that leaves its user with no fewer slots than the other has then, whose turn comes
/// first; and where there are more users than slots, for one who has none. Those that are `deaf`
/// were asked before and go on.
pub(super) fn give_way(running: &[RunningSlice], waiting: &[WaitingUser], deaf: &HashSet<Uuid>) -> Vec<Uuid> {
    let mut slots: HashMap<UserId, usize> = HashMap::new();
    for slice in running {
        *slots.entry(slice.user_id).or_default() += 1;
    }
    let mut may_end: Vec<&RunningSlice> =
        running.iter().filter(|slice| may_end(slice) && !deaf.contains(&slice.lease)).collect();
    may_end.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
    let mut waiting: Vec<WaitingUser> = waiting.to_vec();
    let mut ending = Vec::new();
    let of = |slots: &HashMap<UserId, usize>, user: UserId| slots.get(&user).copied().unwrap_or(0);
    while let Some(least) = (0..waiting.len()).min_by_key(|&at| of(&slots, waiting[at].user_id)) {
        let (user, has) = (waiting[least].user_id, of(&slots, waiting[least].user_id));
        let turn = waiting[least].turn;
        // The last one of those with most is the one that runs longest.
        let most = (0..may_end.len())
            .filter(|&at| may_end[at].user_id != user && may_end[at].next_turn >= turn)
            .max_by_key(|&at| of(&slots, may_end[at].user_id));
        let Some(slice) = most
            .map(|at| (at, of(&slots, may_end[at].user_id)))
            .filter(|(_, others)| *others > has + 1 || (has == 0 && *others == 1))
        else {
            // Others may wait for slots of somebody else.
            waiting.remove(least);
            continue;
        };
        let (at, others) = slice;
        let slice = may_end.remove(at);
        ending.push(slice.lease);
        slots.insert(slice.user_id, others - 1);
        slots.insert(user, has + 1);
        if others == 1 {
            // It had its turn; others of those who wait come before it.
            waiting.retain(|waiting| waiting.user_id != slice.user_id);
        }
        if let Some(taken) = waiting.iter_mut().find(|waiting| waiting.user_id == user) {
            taken.chunks -= 1;
        }
        waiting.retain(|waiting| waiting.chunks > 0);
    }
    ending
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: u128) -> UserId {
        UserId(Uuid::from_u128(number))
    }

    /// Slices of these users, the first of which runs longest.
    fn slices(users: &[u128]) -> Vec<RunningSlice> {
        (1u32..)
            .zip(users)
            .map(|(number, of)| RunningSlice {
                lease: Uuid::from_u128(number.into()),
                user_id: user(*of),
                seconds: 100.0 - f64::from(number),
                gave_way: false,
                next_turn: 10.0,
            })
            .collect()
    }

    /// The numbers of those that give way to users who have so many chunks waiting.
    fn ending(running: &[RunningSlice], waiting: &[(u128, i64)]) -> Vec<u128> {
        let waiting: Vec<_> = waiting
            .iter()
            .map(|(of, chunks)| WaitingUser { user_id: user(*of), chunks: *chunks, turn: 5.0 })
            .collect();
        give_way(running, &waiting, &HashSet::new()).iter().map(Uuid::as_u128).collect()
    }

    #[test]
    fn who_is_alone_gives_way_to_nobody() {
        assert!(ending(&slices(&[1, 1, 1]), &[]).is_empty());
        assert!(ending(&slices(&[1, 1, 1]), &[(1, 9)]).is_empty());
    }

    #[test]
    fn slots_are_levelled_and_then_left_alone() {
        assert_eq!(ending(&slices(&[1, 1, 1, 1]), &[(1, 9), (2, 9)]), [1, 2]);
        assert_eq!(ending(&slices(&[1, 1, 1, 1]), &[(2, 1)]), [1]);
        assert!(ending(&slices(&[1, 1, 2, 2]), &[(1, 9), (2, 9)]).is_empty());
        assert!(ending(&slices(&[1, 1, 2]), &[(1, 9), (2, 9)]).is_empty(), "it would only turn round");
        assert_eq!(ending(&slices(&[1, 1, 2, 1]), &[(3, 9), (4, 9)]), [1, 2]);
    }

    #[test]
    fn where_users_are_more_than_slots_all_have_their_turns() {
        assert_eq!(ending(&slices(&[1, 2, 3]), &[(4, 9)]), [1]);
        assert_eq!(ending(&slices(&[1, 2, 3]), &[(4, 9), (5, 9), (1, 9), (2, 9)]), [1, 2]);
        assert_eq!(ending(&slices(&[1, 1, 2]), &[(3, 9), (4, 9), (1, 9)]), [1, 2]);
    }

    #[test]
    fn nobody_gives_way_to_who_comes_later_or_in_vain() {
        let mut running = slices(&[1, 1, 1, 1]);
        let waiting = [WaitingUser { user_id: user(2), chunks: 9, turn: 5.0 }];
        let deaf = HashSet::from([running[0].lease, running[1].lease]);
        let asked = give_way(&running, &waiting, &deaf);
        assert_eq!(asked, [running[2].lease, running[3].lease], "those that were asked do not answer");
        for slice in &mut running {
            slice.next_turn = 4.0;
        }
        assert!(ending(&running, &[(2, 9)]).is_empty(), "the slot would come back to who gave it");
    }

    #[test]
    fn what_has_just_begun_goes_on() {
        let mut running = slices(&[1, 2]);
        running[0].seconds = 0.5;
        assert_eq!(ending(&running, &[(3, 1)]), [2]);
        running[1].seconds = 0.5;
        assert!(ending(&running, &[(3, 1)]).is_empty());
        running[1] = RunningSlice { seconds: 29.0, gave_way: true, ..running[1] };
        assert!(ending(&running, &[(3, 1)]).is_empty(), "it got nowhere last time");
        running[1].seconds = 31.0;
        assert_eq!(ending(&running, &[(3, 1)]), [2], "but nobody is left alone for ever");
    }
}
