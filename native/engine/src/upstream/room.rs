//! How many connections an origin is trusted to take at once.
//!
//! A browser opens six to one origin, and dev servers are used to that: many accept slowly, with room for few that
//! they have not accepted yet. An HTTP/2 client asks for hundreds of things at once; as many connections dialled
//! at once would find no room, and the system waits a second before it tries again. So beyond the first few their
//! number grows step by step, and a request whose turn has not come takes a connection that falls idle instead.
//! However many requests wait for an answer, each is sent at last.

use std::time::{Duration, Instant};

/// As many as browsers open at once.
const FIRST: u64 = 6;
/// How long the origin is given for one more, as long as it has not taken [`MANY`].
const STEP: Duration = Duration::from_millis(1);
/// How late a turn may be taken. A process that was not run for a while would else take all that it has missed at once.
const LATE: Duration = Duration::from_millis(5);
/// An origin that has taken so many takes more the faster the more it has: from there their number doubles in less
/// than a tenth of a second.
const MANY: u64 = 64;

/// The room that one origin has for connections.
#[derive(Debug)]
pub(super) struct Room {
    /// How many may be open.
    size: u64,
    /// When it may grow again.
    next: Option<Instant>,
    /// How many requests wait for that.
    waiting: u32,
    /// The last turn that was given instead of one that had been missed.
    postponed: Option<Instant>,
}

impl Default for Room {
    fn default() -> Self {
        Self { size: FIRST, next: None, waiting: 0, postponed: None }
    }
}

impl Room {
    /// When there is room for one more beside those that are `open`: `None` is now. Whoever waits says so when it
    /// is over, by [`leave`](Self::leave).
    pub(super) fn wait(&mut self, open: u64, now: Instant) -> Option<Instant> {
        if open < self.size {
            return None;
        }
        let next = self.next.map_or(now, |next| next.max(now));
        if next == now {
            // Those that wait may all get what falls idle: it must grow nevertheless while more is asked for.
            self.grow(open, now);
            return None;
        }
        let turn = next + self.step() * self.waiting;
        self.waiting += 1;
        Some(turn)
    }

    /// Another turn, for one that has been missed.
    pub(super) fn postpone(&mut self, turn: Instant, now: Instant) -> Option<Instant> {
        if now.saturating_duration_since(turn) < LATE {
            return None;
        }
        let next = self.postponed.map_or(now, |last| last.max(now)) + self.step();
        self.postponed = Some(next);
        Some(next)
    }

    /// Ends a wait.
    pub(super) fn leave(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// Makes room for one more beside those that are `open`, for one whose turn has come.
    pub(super) fn grow(&mut self, open: u64, now: Instant) {
        self.size = self.size.max(open + 1);
        self.next = Some(now + self.step());
    }

    /// Forgets what the origin took when it was asked for more than it is now.
    pub(super) fn shrink(&mut self, open: u64) {
        self.size = open.max(FIRST);
    }

    fn step(&self) -> Duration {
        let share = u32::try_from(self.size / MANY).unwrap_or(u32::MAX);
        STEP / share.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `requests` that come at once, none of which is answered: when those that wait are sent, in milliseconds.
    fn turns(room: &mut Room, requests: u64, now: Instant) -> Vec<u128> {
        let turns: Vec<_> = (0..requests).filter_map(|open| room.wait(open, now)).collect();
        for (open, turn) in (requests - turns.len() as u64..requests).zip(&turns) {
            room.leave();
            room.grow(open, *turn);
        }
        turns.into_iter().map(|turn| (turn - now).as_millis()).collect()
    }

    #[test]
    fn the_first_few_do_not_wait_and_the_others_take_turns() {
        const NOBODY: [u128; 0] = [];
        let (mut room, now) = (Room::default(), Instant::now());
        assert_eq!(turns(&mut room, FIRST, now), NOBODY);
        assert_eq!(turns(&mut room, FIRST + 5, now), [1, 2, 3, 4]);
        assert_eq!(turns(&mut room, FIRST + 5, now), NOBODY, "there is room for them now");
        room.shrink(2);
        let later = now + Duration::from_secs(1);
        assert_eq!(turns(&mut room, FIRST + 2, later), [1]);
    }

    #[test]
    fn it_grows_although_those_that_wait_get_what_falls_idle() {
        let (mut room, mut now) = (Room::default(), Instant::now());
        let mut open = FIRST;
        for _ in 0..100 {
            // One that waits in every interval, and is given a connection before its turn.
            if room.wait(open, now).is_none() {
                open += 1;
            }
            if room.wait(open, now).is_some() {
                room.leave();
            }
            now += STEP;
        }
        assert_eq!(open, FIRST + 100);
    }

    #[test]
    fn whoever_does_not_wait_any_more_holds_up_nobody() {
        let (mut room, now) = (Room::default(), Instant::now());
        room.grow(FIRST - 1, now);
        let first = room.wait(FIRST, now).unwrap();
        for _ in 0..100 {
            assert!(room.wait(FIRST, now).is_some());
            room.leave();
        }
        room.leave();
        assert_eq!(room.wait(FIRST, now), Some(first));
    }

    #[test]
    fn turns_that_were_missed_are_not_taken_at_once() {
        let (mut room, start) = (Room::default(), Instant::now());
        room.grow(FIRST, start);
        let turns: Vec<_> = (0..3).filter_map(|_| room.wait(FIRST + 1, start)).collect();
        assert_eq!(room.postpone(turns[0], start + STEP * 2), None, "it is not late");
        let now = start + Duration::from_secs(1);
        let later = turns.iter().filter_map(|turn| room.postpone(*turn, now));
        let later: Vec<_> = later.map(|turn| (turn - now).as_millis()).collect();
        assert_eq!(later, [1, 2, 3]);
    }

    #[test]
    fn an_origin_that_takes_many_gets_more_at_a_time() {
        let mut room = Room::default();
        let (mut open, mut now) = (FIRST, Instant::now());
        let start = now;
        while open < 10_000 {
            if let Some(turn) = room.wait(open, now) {
                room.leave();
                room.grow(open, turn);
                now = turn;
            }
            open += 1;
        }
        assert!(now - start < Duration::from_secs(1), "{:?}", now - start);
    }
}
