//! The meter, as the core has it: propose, record, confirm.

use counterfoil::{
    Digest,
    lease::UnitShare,
    meter::{self, LaneTotals, SubscriptionView, Ticket},
};
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use crate::{
    command::Command,
    error::Thrown,
    input,
    key::SignRequest,
    outcome::outcome,
    output::{Record, bytes, list},
    plan::Plan,
};

/// A decided step that waits to be recorded. It is given to `confirm` or `abandon` once.
#[wasm_bindgen]
pub struct Step {
    ticket: Ticket,
    entry: Option<Vec<u8>>,
}

#[wasm_bindgen]
impl Step {
    /// The ticket's number; tickets count up from 0.
    #[wasm_bindgen(getter)]
    pub fn ticket(&self) -> u64 {
        self.ticket.number()
    }

    /// The entry to make durable; `undefined` when the decision changes nothing.
    #[wasm_bindgen(getter)]
    pub fn entry(&self) -> Option<Uint8Array> {
        self.entry.as_deref().map(bytes)
    }
}

/// The meter without a journal: for hosts that record entries themselves. `Meter` wraps it.
#[wasm_bindgen]
pub struct RawMeter(pub(crate) counterfoil::Meter);

#[wasm_bindgen]
impl RawMeter {
    /// A meter without a past. The salt key is a secret of 32 random bytes.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "Uint8Array")] salt_key: JsValue,
    ) -> Result<RawMeter, Thrown> {
        Ok(RawMeter(counterfoil::Meter::new(input::secret(&salt_key)?)))
    }

    /// A meter that goes on from a snapshot; the entries after `entries` are to be replayed.
    #[wasm_bindgen(js_name = fromSnapshot)]
    pub fn from_snapshot(
        #[wasm_bindgen(unchecked_param_type = "Uint8Array")] snapshot: JsValue,
        #[wasm_bindgen(unchecked_param_type = "Uint8Array")] salt_key: JsValue,
    ) -> Result<RawMeter, Thrown> {
        let snapshot = input::bytes(&snapshot)?;
        let meter = counterfoil::Meter::from_snapshot(&snapshot, input::secret(&salt_key)?)?;
        Ok(RawMeter(meter))
    }

    /// The durable state as bytes: a cache, so that opening need not replay every entry.
    pub fn snapshot(&self) -> Uint8Array {
        bytes(&self.0.snapshot())
    }

    /// Folds a durable entry, before anything is proposed. What the entry wants signed is returned,
    /// for a host that finds the signature's slot empty.
    pub fn replay(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "Uint8Array")] entry: JsValue,
    ) -> Result<Option<SignRequest>, Thrown> {
        Ok(self.0.replay(&input::bytes(&entry)?)?.map(SignRequest))
    }

    /// Decides a command on the fold of everything proposed so far.
    pub fn propose(
        &mut self,
        command: Command,
        #[wasm_bindgen(unchecked_param_type = "number")] now: JsValue,
    ) -> Result<Step, Thrown> {
        let meter::Step { ticket, entry } = self.0.propose(&command.0, input::instant(&now)?)?;
        Ok(Step { ticket, entry })
    }

    /// Says that the step's entry and all before it are durable, and reads what was decided.
    #[wasm_bindgen(unchecked_return_type = "Outcome")]
    pub fn confirm(&mut self, step: Step) -> Result<JsValue, Thrown> {
        let decided = self.0.confirm(step.ticket)?;
        Ok(outcome(decided))
    }

    /// Says that the step's entry was not recorded: it and every later step are dropped.
    pub fn abandon(&mut self, step: Step) -> Result<(), Thrown> {
        Ok(self.0.abandon(step.ticket)?)
    }

    /// Says that the fate of a write is unknown: nothing is proposed until `recover`.
    pub fn stall(&mut self) {
        self.0.stall();
    }

    /// Ends the doubt: `durable` is how many entries the ledger really holds.
    pub fn recover(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "bigint | number")] durable: JsValue,
    ) -> Result<(), Thrown> {
        Ok(self.0.recover(input::count(&durable)?)?)
    }

    /// How many entries are durable.
    #[wasm_bindgen(getter)]
    pub fn entries(&self) -> u64 {
        self.0.entries()
    }

    /// The key that signs, once the meter has begun.
    #[wasm_bindgen(getter, unchecked_return_type = "Hex | undefined")]
    pub fn signer(&self) -> Option<String> {
        self.0.signer().map(|signer| signer.to_string())
    }

    /// The log's origin, once the meter has begun.
    #[wasm_bindgen(getter)]
    pub fn origin(&self) -> Option<String> {
        self.0.origin().map(String::from)
    }

    /// How many heads and lane openings the log holds, earlier origins included.
    #[wasm_bindgen(getter, js_name = logSize)]
    pub fn log_size(&self) -> u64 {
        self.0.log_size()
    }

    /// How many checkpoints were made.
    #[wasm_bindgen(getter)]
    pub fn checkpoints(&self) -> u64 {
        self.0.checkpoints()
    }

    /// The plans that are known.
    pub fn plans(&self) -> Vec<Plan> {
        self.0.plans().cloned().map(Plan).collect()
    }

    /// A plan by its id.
    pub fn plan(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Hex")] id: JsValue,
    ) -> Result<Option<Plan>, Thrown> {
        let id: Digest = input::parsed(&id)?;
        Ok(self.0.plan(&id).cloned().map(Plan))
    }

    /// Where every lane stands.
    #[wasm_bindgen(unchecked_return_type = "LaneTotals[]")]
    pub fn lanes(&self) -> JsValue {
        list(self.0.lanes(), lane)
    }

    /// Where a lane stands.
    #[wasm_bindgen(unchecked_return_type = "LaneTotals | undefined")]
    pub fn lane(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Hex")] id: JsValue,
    ) -> Result<Option<js_sys::Object>, Thrown> {
        let id: Digest = input::parsed(&id)?;
        Ok(self.0.lane(&id).map(|totals| lane(totals).unchecked_into()))
    }

    /// Every subscription.
    #[wasm_bindgen(unchecked_return_type = "Subscription[]")]
    pub fn subscriptions(&self) -> JsValue {
        list(self.0.subscriptions(), subscription)
    }

    /// One subscription.
    #[wasm_bindgen(unchecked_return_type = "Subscription | undefined")]
    pub fn subscription(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Hex")] id: JsValue,
    ) -> Result<Option<js_sys::Object>, Thrown> {
        let id: Digest = input::parsed(&id)?;
        Ok(self.0.subscription(&id).map(|view| subscription(view).unchecked_into()))
    }

    /// A subscription's holds: those that reserve, and those that expired and may still be settled.
    #[wasm_bindgen(unchecked_return_type = "HoldView[] | undefined")]
    pub fn holds(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Hex")] subscription: JsValue,
    ) -> Result<Option<js_sys::Object>, Thrown> {
        let id: Digest = input::parsed(&subscription)?;
        Ok(self.0.holds(&id).map(|holds| list(holds, hold).unchecked_into()))
    }

    /// A subscription's leases that are out, by id.
    #[wasm_bindgen(unchecked_return_type = "LeaseView[] | undefined")]
    pub fn leases(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Hex")] subscription: JsValue,
    ) -> Result<Option<js_sys::Object>, Thrown> {
        let id: Digest = input::parsed(&subscription)?;
        Ok(self.0.leases(&id).map(|leases| list(leases, lease).unchecked_into()))
    }

    /// Whether the subscription's lane belongs to the current log: if not, subscribe again.
    #[wasm_bindgen(js_name = isCurrent)]
    pub fn is_current(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Hex")] subscription: JsValue,
    ) -> Result<bool, Thrown> {
        let id: Digest = input::parsed(&subscription)?;
        Ok(self.0.is_current(&id))
    }

    /// The place up to which an input was imported, pending entries included.
    #[wasm_bindgen(unchecked_return_type = "ImportMark | undefined")]
    pub fn imported(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Hex")] input: JsValue,
    ) -> Result<Option<js_sys::Object>, Thrown> {
        let input: Digest = input::parsed(&input)?;
        Ok(self.0.imported(&input).map(|mark| {
            let record = Record::new()
                .text("input", mark.input)
                .set("ordinal", mark.ordinal)
                .set("offset", mark.offset)
                .text("digest", mark.digest);
            JsValue::from(record).unchecked_into()
        }))
    }
}

pub(crate) fn lane(totals: LaneTotals) -> JsValue {
    Record::new()
        .text("lane", totals.lane)
        .text("subscription", totals.subscription)
        .text("plan", totals.plan)
        .text("payer", totals.payer)
        .text("rail", totals.rail)
        .set("number", totals.number)
        .set("sequence", totals.sequence)
        .text("head", totals.head)
        .text("baseline", totals.baseline)
        .text("creditedBaseline", totals.credited_baseline)
        .text("cumulative", totals.cumulative)
        .text("credited", totals.credited)
        .set("collected", totals.collected.atomic())
        .set("fee", totals.fee.atomic())
        .into()
}

fn hold(view: meter::HoldView) -> JsValue {
    Record::new()
        .text("subject", view.subject)
        .set("state", view.state.as_str())
        .instant("authorizedAt", view.authorized_at)
        .instant("deadline", view.deadline)
        .set("parts", view.parts)
        .text("charged", view.charged)
        .into()
}

fn lease(view: meter::LeaseView) -> JsValue {
    let lent = |lent: meter::LentUnits| {
        Record::new()
            .set("charge", lent.charge)
            .set("counter", lent.counter)
            .set("units", lent.units)
            .set("used", lent.used)
            .into()
    };
    let share =
        |share: UnitShare| Record::new().set("limit", share.limit).set("most", share.most).into();
    let stated = view.stated.map(|stated| {
        JsValue::from(
            Record::new()
                .set("sequence", stated.sequence)
                .text("cumulative", stated.cumulative)
                .instant("at", stated.at),
        )
    });
    Record::new()
        .text("lease", view.lease)
        .set("holder", view.holder)
        .instant("at", view.at)
        .instant("until", view.until)
        .instant("reclaimedAt", view.reclaimed_at)
        .set("charges", list(view.charges, lent))
        .set("limits", list(view.limits, share))
        .maybe("stated", stated)
        .into()
}

fn subscription(view: SubscriptionView) -> JsValue {
    let counter = |counter: meter::CounterView| {
        Record::new()
            .set("charge", counter.charge)
            .instant("start", counter.window.start)
            .instant("end", counter.window.end)
            .set("units", counter.units)
            .text("billed", counter.billed)
            .into()
    };
    let grant = |grant: meter::GrantView| {
        Record::new()
            .set("grant", grant.grant)
            .set("kind", grant.kind)
            .maybe("meter", grant.meter)
            .instant("givenAt", grant.given_at)
            .maybe("expiresAt", grant.expires_at.map(crate::output::instant))
            .text("balance", grant.balance)
            .set("reserved", grant.reserved)
            .into()
    };
    Record::new()
        .text("id", view.id)
        .text("plan", view.plan)
        .text("payer", view.payer)
        .maybe("account", view.name)
        .instant("startedAt", view.started_at)
        .maybe("endsAt", view.ends_at.map(crate::output::instant))
        .text("lane", view.lane)
        .set("denied", view.denied)
        .set("holds", view.holds)
        .text("reserved", view.reserved)
        .set("counters", list(view.counters, counter))
        .set("grants", list(view.grants, grant))
        .into()
}
