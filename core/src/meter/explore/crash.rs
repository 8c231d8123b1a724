//! Lost writes: two proposed steps, of which none, one or both become durable.
//!
//! Whatever is lost, the meter stands where the entries that are durable lead without it, and nowhere
//! else: so what can follow is explored already. The lost command then comes again, and happens once.

use alloc::format;

use super::{Node, SALT, happens_once, scenarios::Scenario, short};
use crate::{
    error::Code,
    meter::{Command, Meter, Outcome, State, Step},
    time::Timestamp,
};

/// How a host learns what is durable.
#[derive(Debug, Clone, Copy)]
enum Loss {
    /// It knows what failed.
    Abandoned,
    /// It does not know, and looks.
    Doubt,
    /// Its process ends, and another one reads the ledger.
    Crash,
}

impl Node {
    /// Every command, and every one after it, lost in every way.
    pub(super) fn lose_writes(&self, scenario: &Scenario, commands: &[Command]) {
        let now = self.now(scenario);
        for first in commands {
            let Ok((after, _)) = self.take(scenario, first) else { continue };
            if after.state == self.state {
                continue;
            }
            for second in commands {
                let pair = Pair { node: self, commands: [first, second], now };
                let Some((meter, steps)) = pair.propose() else { continue };
                let states = [&self.state, &after.state, meter.proposed()];
                for loss in [Loss::Abandoned, Loss::Doubt, Loss::Crash] {
                    for durable in 0..=steps.iter().flat_map(|step| &step.entry).count() {
                        pair.lose(loss, durable, &steps, states);
                    }
                }
            }
        }
    }
}

/// Two commands, one after the other.
struct Pair<'a> {
    node: &'a Node,
    commands: [&'a Command; 2],
    now: Timestamp,
}

impl Pair<'_> {
    /// The meter with both proposed; `None` where the second is refused.
    fn propose(&self) -> Option<(Meter, [Step; 2])> {
        let mut meter = Meter::from_state(self.node.state.clone(), SALT);
        let first = meter.propose(self.commands[0], self.now).expect("it was taken");
        let second = meter.propose(self.commands[1], self.now).ok()?;
        assert!(*meter.durable() == self.node.state, "a proposal is not durable");
        Some((meter, [first, second]))
    }

    /// Of the two steps' entries the first `durable` are. The `states` are those with none, the first
    /// step, and both.
    fn lose(&self, loss: Loss, durable: usize, steps: &[Step; 2], states: [&State; 3]) {
        let (mut meter, _) = self.propose().expect("it was proposed before");
        match loss {
            Loss::Abandoned => {
                let last = durable.checked_sub(1).map(|last| steps[last].ticket);
                last.map(|ticket| meter.confirm(ticket).expect("it is durable"));
                if let Some(lost) = steps.get(durable) {
                    meter.abandon(lost.ticket).expect("it is pending");
                }
            }
            Loss::Doubt => {
                meter.stall();
                let stalled = meter.propose(self.commands[0], self.now);
                assert_eq!(stalled.map_err(|e| e.code()), Err(Code::MeterStalled));
                meter.recover(self.node.state.entries + durable as u64).expect("what is written");
            }
            Loss::Crash => {
                meter = Meter::from_state(self.node.state.clone(), SALT);
                for entry in steps.iter().flat_map(|step| &step.entry).take(durable) {
                    meter.replay(entry).expect("an entry of the ledger");
                }
            }
        }
        let trace = || {
            let [first, second] = self.commands.map(|command| short(command));
            format!("{loss:?} of {first}, {second} after\n  {}", self.node.trace())
        };
        assert!(meter.durable() == states[durable], "not what is durable: {}", trace());
        assert!(meter.proposed() == states[durable], "more than is durable: {}", trace());
        if let (Loss::Abandoned | Loss::Doubt, Some(lost)) = (loss, steps.get(durable)) {
            // A step without an entry has come to pass with those before it.
            let came = matches!(loss, Loss::Doubt) && lost.entry.is_none();
            let outcome = meter.confirm(lost.ticket);
            assert_eq!(outcome.is_ok(), came, "the outcome of a lost step: {}", trace());
        }
        // What is not known to be done is asked for again, but for what would be done once more.
        for (number, command) in self.commands.iter().enumerate() {
            if number < durable && !happens_once(command) {
                continue;
            }
            let again = meter.propose(command, self.now);
            let Ok(again) = again else { continue };
            if number == durable {
                assert_eq!(again.entry, steps[number].entry, "another entry: {}", trace());
            }
            let outcome = meter.confirm(again.ticket).expect("it is durable");
            if number < durable {
                assert!(matches!(outcome, Outcome::Replayed(_)), "done twice: {}", trace());
            }
        }
        assert!(durable > 0 || meter.durable() == states[2], "not the same twice: {}", trace());
    }
}
