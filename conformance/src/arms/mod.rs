//! One arm per operation of `spec/surface.json`.

mod entry;
mod evidence;
mod lease;
mod ledger;
mod log;
mod meter;
mod money;
mod plan;
mod receipt;
mod x402;

use std::{collections::BTreeMap, sync::Arc};

use counterfoil::{
    LocalKey, Plan, VerifiedReceipt, entry::ReceiptEntry, json::Value as Document, log::Checkpoint,
};
use serde_json::Value;

use crate::{
    host::Host,
    input::{Input, Outcome, Stop, fault},
};

/// What a step gave a name to.
pub(crate) enum Object {
    Plan(Box<Plan>),
    Key(LocalKey),
    Meter(Box<Host>),
    Receipt(Arc<ReceiptEntry>),
    Checkpoint(Checkpoint),
    Verified(Box<VerifiedReceipt>),
}

/// The objects of a vector, by name.
pub(crate) type Objects = BTreeMap<String, Object>;

/// An operation's `out`, and the object that it made.
type Done = Outcome<(Value, Option<Object>)>;

/// Runs one operation.
pub(crate) fn run(op: &str, input: Value, objects: &mut Objects) -> Done {
    let mut input = Input::new(input)?;
    let input = &mut input;
    match op {
        "money.round" => plain(money::round(input)),
        "money.split" => plain(money::split(input)),
        "time.window" => plain(money::window(input)),
        "json.canonical" => plain(plan::canonical(input)),
        "usage.read" => plain(plan::usage(input)),
        "usage.map" => plain(plan::map_usage(input)),
        "usage.stream" => plain(plan::stream_usage(input)),
        "plan.load" => plan::load(input),
        "plan.window" => plain(plan::window(input, objects)),
        "plan.quote" => plain(plan::quote(input, objects)),
        "key.load" => receipt::load_key(input),
        "key.sign" => plain(receipt::sign(input, objects)),
        "meter.new" => meter::new(input),
        "meter.begin" => meter::begin(input, objects),
        "meter.addPlan" => meter::add_plan(input, objects),
        "meter.subscribe" => meter::subscribe(input, objects),
        "meter.authorize" => meter::authorize(input, objects),
        "meter.settle" => meter::settle(input, objects),
        "meter.settlePart" => meter::settle_part(input, objects),
        "meter.settleUnfinished" => meter::settle_unfinished(input, objects),
        "meter.extend" => meter::extend(input, objects),
        "meter.holds" => plain(meter::holds(input, objects)),
        "meter.release" => meter::release(input, objects),
        "meter.import" => meter::import(input, objects),
        "meter.due" => meter::due(input, objects),
        "meter.checkpoint" => meter::checkpoint(input, objects),
        "meter.collect" => meter::collect(input, objects),
        "meter.grant" => meter::grant(input, objects),
        "meter.credit" => meter::credit(input, objects),
        "meter.void" => meter::void(input, objects),
        "meter.cancel" => meter::cancel(input, objects),
        "meter.switch" => meter::switch(input, objects),
        "meter.lease" => lease::lend(input, objects),
        "meter.accept" => lease::accept(input, objects),
        "meter.statement" => lease::statement(input, objects),
        "meter.absorb" => lease::absorb(input, objects),
        "meter.leases" => plain(lease::out(input, objects)),
        "meter.present" => meter::present(input, objects),
        "evidence.sign" => plain(evidence::sign(input, objects)),
        "evidence.read" => plain(evidence::read(input)),
        "meter.recover" => plain(meter::recover(input, objects)),
        "meter.entries" => plain(meter::entries(input, objects)),
        "meter.replay" => meter::replay(input, objects),
        "meter.restore" => meter::restore(input, objects),
        "meter.lane" => plain(meter::lane(input, objects)),
        "meter.subscription" => plain(meter::subscription(input, objects)),
        "receipt.header" => plain(receipt::header(input, objects)),
        "receipt.json" => plain(receipt::json(input, objects)),
        "receipt.verify" => receipt::verify(input),
        "receipt.follows" => plain(receipt::follows(input, objects)),
        "lane.typedData" => plain(entry::lane_typed_data(input, objects)),
        "entry.read" => plain(entry::read(input)),
        "frame.write" => plain(entry::write_frame(input)),
        "frame.read" => plain(entry::read_frame(input)),
        "frame.torn" => plain(entry::torn(input)),
        "receipt.verifyIn" => plain(receipt::verify_in(input, objects)),
        "receipt.disclose" => plain(receipt::disclose(input, objects)),
        "checkpoint.verify" => plain(receipt::checkpoint(input, objects)),
        "log.lanes" => plain(log::lanes(input)),
        "log.root" => plain(log::root(input)),
        "log.inclusion" => plain(log::inclusion(input)),
        "log.verifyInclusion" => plain(log::verify_inclusion(input)),
        "log.consistency" => plain(log::consistency(input)),
        "log.verifyConsistency" => plain(log::verify_consistency(input)),
        "ledger.audit" => plain(ledger::audit(input, objects)),
        "ledger.settle" => plain(ledger::settle(input, objects)),
        "ledger.document" => plain(ledger::document(input, objects)),
        "ledger.file" => plain(ledger::file(input, objects)),
        "ledger.duplicates" => plain(ledger::duplicates(input, objects)),
        "payout.verify" => plain(ledger::verify_payout(input)),
        "x402.channel" => plain(x402::channel(input)),
        "x402.voucher" => plain(x402::voucher(input)),
        "x402.claim" => plain(x402::claim(input)),
        _ => fault("no arm for this operation"),
    }
}

fn plain(out: Outcome) -> Done {
    out.map(|out| (out, None))
}

/// The document in a text.
fn document(text: &str) -> Outcome<Document> {
    Ok(counterfoil::json::parse(text.as_bytes(), &counterfoil::json::Limits::default())?)
}

macro_rules! handles {
    ($($name:ident, $variant:ident, $kind:ty;)*) => {
        $(fn $name<'a>(
            input: &mut Input,
            member: &str,
            objects: &'a Objects,
        ) -> Outcome<&'a $kind> {
            let name = input.text(member)?;
            match objects.get(&name) {
                Some(Object::$variant(object)) => Ok(object),
                _ => Err(Stop::Fault(format!("`{name}` is no {}", stringify!($name)))),
            }
        })*
    };
}

handles! {
    a_plan, Plan, Plan;
    a_key, Key, LocalKey;
    a_meter, Meter, Host;
    a_receipt, Receipt, ReceiptEntry;
    a_checkpoint, Checkpoint, Checkpoint;
    a_verified, Verified, VerifiedReceipt;
}

/// The meters that a member lists.
fn meters<'a>(input: &mut Input, member: &str, objects: &'a Objects) -> Outcome<Vec<&'a Host>> {
    let named = |name| match objects.get(&crate::input::text(name)?) {
        Some(Object::Meter(host)) => Ok(&**host),
        _ => fault(format!("`{member}` has what is no meter")),
    };
    input.list(member)?.into_iter().map(named).collect()
}

/// The key that a member names, unless it is `null`.
fn maybe_key<'a>(input: &mut Input, objects: &'a Objects) -> Outcome<Option<&'a LocalKey>> {
    match input.nullable("key")? {
        None => Ok(None),
        Some(name) => match objects.get(&name) {
            Some(Object::Key(key)) => Ok(Some(key)),
            _ => fault(format!("`{name}` is no key")),
        },
    }
}
