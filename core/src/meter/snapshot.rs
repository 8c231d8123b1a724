//! A meter's state as bytes, so that opening a ledger need not fold it from the beginning.
//!
//! A snapshot is a cache: it can always be made again from the entries, and it is not part of the
//! ledger. What follows from other fields (reserves, due lists) is computed again on reading.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};

use crate::{
    account::{
        Account, ByValue, Counter, Given, GivenBack, Grants, Made, Pace, Pending, Returned, Seen,
        Tally,
    },
    amount::{Amount, Exact},
    codec::{Reader, Writer},
    crypto::{Address, Digest},
    entry::{
        Instance, read_attributes, read_mark, read_option, read_reserved, read_time, read_units,
        write_attributes, write_mark, write_option, write_reserved, write_units,
    },
    error::{Code, Error, Result},
    lease::{Lease, Statement},
    log::Frontier,
    meter::{
        CameBack, Hold, HoldState, Lane, Leased, Meter, PartLine, Parts, Remembered, State,
        Subscription, closings, reclaimable,
    },
    plan::{Grant, Plan},
    receipt::LaneOpen,
    rules::{Validity, Wanted},
    time::{Timestamp, Window},
};

const KIND: u8 = 20;
const VERSION: u8 = 0;

impl Meter {
    /// The durable state as bytes.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(KIND).u8(VERSION);
        write_state(&mut w, self.durable());
        w.0
    }

    /// A meter that goes on from a snapshot; entries after [`Meter::entries`] are to be replayed.
    ///
    /// # Errors
    /// `bytes_invalid`, `bytes_version`, or the code of a field that cannot be.
    pub fn from_snapshot(bytes: &[u8], salt_key: [u8; 32]) -> Result<Meter> {
        let mut r = Reader::new(bytes);
        if (r.u8()?, r.u8()?) != (KIND, VERSION) {
            return Err(Error::new(Code::BytesVersion).at("byte 0"));
        }
        let state = read_state(&mut r)?;
        r.finish()?;
        Ok(Meter::from_state(state, salt_key))
    }
}

fn write_state(w: &mut Writer, state: &State) {
    w.u64(state.entries);
    write_option(w, state.instance.as_ref(), |w, e| {
        w.text(&e.origin).raw(e.signer.bytes()).u64(e.at.millis());
    });
    w.count(state.plans.len());
    for plan in state.plans.values() {
        w.bytes(plan.canonical());
    }
    w.count(state.lanes.len());
    for lane in state.lanes.values() {
        write_lane(w, lane);
    }
    w.count(state.shared.iter().len());
    for ((payer, terms), shared) in state.shared.iter() {
        w.raw(payer.bytes()).raw(terms.bytes());
        write_tally(w, &shared.tally);
        write_pace(w, &shared.pace);
    }
    w.count(state.subscriptions.len());
    for (id, subscription) in &state.subscriptions {
        w.raw(id.bytes());
        write_subscription(w, subscription);
    }
    w.count(state.leases.len());
    for Leased { lease, stated } in state.leases.values() {
        w.bytes(&lease.to_bytes());
        write_option(w, stated.as_ref(), |w, statement| {
            w.bytes(&statement.to_bytes());
        });
    }
    w.count(state.came_back.len());
    for (lane, back) in &state.came_back {
        w.raw(lane.bytes()).raw(back.subscription.bytes());
        w.raw(back.statement.bytes()).u64(back.sequence);
    }
    w.count(state.imports.len());
    for mark in state.imports.values() {
        write_mark(w, mark);
    }
    w.u64(state.log.size()).count(state.log.peaks().len());
    for peak in state.log.peaks() {
        w.raw(peak.bytes());
    }
    w.u64(state.base).u64(state.checkpoints).u64(state.checkpointed).u64(state.latest.millis());
    write_option(w, state.prove_by.as_ref(), |w, by| {
        w.u64(by.millis());
    });
    w.flag(state.prove_now);
}

fn read_state(r: &mut Reader<'_>) -> Result<State> {
    let mut state = State { entries: r.u64()?, ..State::default() };
    state.instance = read_option(r, |r| {
        Ok(Instance { origin: r.text()?, signer: Address::new(r.array()?), at: read_time(r)? })
    })?;
    for _ in 0..r.count(4)? {
        let plan = Plan::from_json(r.bytes()?)?;
        state.plans.insert(plan.id(), Arc::new(plan));
    }
    for _ in 0..r.count(200)? {
        let lane = read_lane(r)?;
        state.lanes.insert(lane.open.digest(), lane);
    }
    for _ in 0..r.count(72)? {
        let (payer, terms) = (Digest::new(r.array()?), Digest::new(r.array()?));
        let (tally, pace) = (read_tally(r)?, read_pace(r)?);
        state.shared.restore(payer, terms, tally, pace);
    }
    for _ in 0..r.count(100)? {
        let id = Digest::new(r.array()?);
        let subscription = read_subscription(r, &state)?;
        index(&mut state, id, &subscription);
        state.subscriptions.insert(id, subscription);
    }
    for _ in 0..r.count(150)? {
        let lease = Lease::from_bytes(r.bytes()?)?;
        let stated = read_option(r, |r| Statement::from_bytes(r.bytes()?))?;
        let id = lease.digest();
        state.reclaims.insert((reclaimable(&lease, state.plan(&lease.plan)?), id));
        state.leases.insert(id, Leased { lease: Arc::new(lease), stated });
    }
    for _ in 0..r.count(104)? {
        let lane = Digest::new(r.array()?);
        let (subscription, statement) = (Digest::new(r.array()?), Digest::new(r.array()?));
        let came_back = CameBack { subscription, statement, sequence: r.u64()? };
        state.came_back.insert(lane, came_back);
    }
    for _ in 0..r.count(80)? {
        let mark = read_mark(r)?;
        state.imports.insert(mark.input, mark);
    }
    let size = r.u64()?;
    let mut peaks = Vec::new();
    for _ in 0..r.count(32)? {
        peaks.push(Digest::new(r.array()?));
    }
    state.log = Frontier::from_peaks(size, peaks)?;
    state.base = r.u64()?;
    state.checkpoints = r.u64()?;
    state.checkpointed = r.u64()?;
    state.latest = read_time(r)?;
    state.prove_by = read_option(r, read_time)?;
    state.prove_now = r.flag()?;
    Ok(state)
}

/// The due lists follow from the subscriptions.
fn index(state: &mut State, id: Digest, subscription: &Subscription) {
    state.shared.join(&id, subscription);
    for hold in subscription.holds.values().filter(|hold| hold.is_reserved()) {
        state.shared.enter(subscription, hold);
        state.expiries.insert((hold.deadline, id, hold.subject));
    }
    for period in subscription.account.periods(&subscription.plan) {
        state.periods.insert((period.due, id, period.charge, period.edge));
    }
    state.closings.extend(closings(subscription, &id));
    if let Some(once) =
        subscription.plan.term().once.as_ref().filter(|_| subscription.lease.is_none())
    {
        state.once.insert((subscription.payer, once.clone()));
    }
}

fn write_lane(w: &mut Writer, lane: &Lane) {
    lane.open.write(w);
    w.u64(lane.sequence)
        .raw(lane.head.bytes())
        .u128(lane.cumulative.atomic())
        .u64(lane.cumulative_remainder)
        .u128(lane.credited.atomic())
        .u64(lane.credited_remainder)
        .u64(lane.issued_at.millis())
        .u64(lane.unproven_since)
        .u64(lane.unproven_receipts)
        .raw(&lane.unproven_value.to_bytes())
        .u128(lane.collected.atomic())
        .u128(lane.fee.atomic());
}

fn read_lane(r: &mut Reader<'_>) -> Result<Lane> {
    Ok(Lane {
        open: LaneOpen::read(r)?,
        sequence: r.u64()?,
        head: Digest::new(r.array()?),
        cumulative: Amount::from_atomic(r.u128()?),
        cumulative_remainder: r.u64()?,
        credited: Amount::from_atomic(r.u128()?),
        credited_remainder: r.u64()?,
        issued_at: read_time(r)?,
        unproven_since: r.u64()?,
        unproven_receipts: r.u64()?,
        unproven_value: Exact::from_bytes(&r.array()?)?,
        collected: Amount::from_atomic(r.u128()?),
        fee: Amount::from_atomic(r.u128()?),
    })
}

fn write_subscription(w: &mut Writer, s: &Subscription) {
    w.raw(s.plan.id().bytes()).raw(s.payer.bytes()).raw(s.payer_salt.bytes());
    write_option(w, s.name.as_ref(), |w, name| {
        w.text(name);
    });
    w.u64(s.started_at.millis()).raw(s.lane.bytes()).u64(s.denied).flag(s.switched);
    write_option(w, s.switched_to.as_ref(), |w, to| {
        w.raw(to.bytes());
    });
    write_option(w, s.lease.as_ref(), |w, lease| {
        w.bytes(&lease.to_bytes());
    });
    w.flag(s.closed).u32(s.leased).raw(&s.returned.to_bytes());
    w.u64(s.account.until.millis());
    write_account(w, &s.plan, &s.account);
    w.count(s.holds.len());
    for hold in s.holds.values() {
        w.raw(hold.subject.bytes())
            .raw(hold.lane.bytes())
            .u64(hold.authorized_at.millis())
            .u64(hold.deadline.millis())
            .u8(match hold.state {
                HoldState::Open => 1,
                HoldState::Unknown => 2,
                HoldState::Expired => 3,
            });
        write_units(w, &hold.units);
        write_units(w, &hold.limited);
        write_reserved(w, &hold.reserved);
        write_attributes(w, &hold.attributes);
        write_option(w, hold.parts.as_deref(), write_parts);
    }
    w.count(s.remembered.len());
    for (subject, known) in &s.remembered {
        w.raw(subject.bytes())
            .raw(known.input.bytes())
            .raw(known.receipt.bytes())
            .raw(known.used.bytes());
    }
    w.count(s.forgetting.len());
    for (until, subject) in &s.forgetting {
        w.u64(until.millis()).raw(subject.bytes());
    }
    w.count(s.evidence.len());
    for (wanted, validity) in &s.evidence {
        w.raw(wanted.attestor.bytes())
            .text(&wanted.statement)
            .u64(validity.issued_at.millis())
            .u64(validity.expires_at.millis());
    }
    write_given_back(w, &s.given_back);
}

fn write_given_back(w: &mut Writer, given_back: &GivenBack) {
    w.count(given_back.receipts.len());
    for (receipt, returned) in &given_back.receipts {
        w.raw(receipt.bytes()).raw(&returned.money.to_bytes()).count(returned.draws.len());
        for draw in &returned.draws {
            w.raw(&draw.to_bytes());
        }
    }
    w.count(given_back.credits.len());
    for (id, made) in &given_back.credits {
        w.raw(id.bytes()).raw(made.input.bytes()).raw(made.receipt.bytes());
    }
    w.count(given_back.calls.len());
    for ((subject, at), left) in &given_back.calls {
        w.raw(subject.bytes()).u64(at.millis()).raw(&left.to_bytes());
    }
}

fn read_given_back(r: &mut Reader<'_>) -> Result<GivenBack> {
    let mut given_back = GivenBack::default();
    for _ in 0..r.count(60)? {
        let receipt = Digest::new(r.array()?);
        let money = Exact::from_bytes(&r.array()?)?;
        let count = r.count(24)?;
        let mut draws = Vec::with_capacity(count);
        for _ in 0..count {
            draws.push(Exact::from_bytes(&r.array()?)?);
        }
        given_back.receipts.insert(receipt, Returned { money, draws });
    }
    for _ in 0..r.count(96)? {
        let id = Digest::new(r.array()?);
        let (input, receipt) = (Digest::new(r.array()?), Digest::new(r.array()?));
        given_back.credits.insert(id, Made { input, receipt });
    }
    for _ in 0..r.count(64)? {
        let call = (Digest::new(r.array()?), Timestamp::from_millis(r.u64()?)?);
        given_back.calls.insert(call, Exact::from_bytes(&r.array()?)?);
    }
    Ok(given_back)
}

fn write_parts(w: &mut Writer, parts: &Parts) {
    w.u64(parts.number).raw(parts.receipt.bytes()).raw(parts.used.bytes());
    for by_meter in [&parts.quantities, &parts.granted] {
        w.count(by_meter.len());
        for (meter, units) in by_meter {
            w.text(meter).u64(*units);
        }
    }
    w.count(parts.lines.len());
    for line in &parts.lines {
        w.count(line.charge).u64(line.units).raw(&line.amount.to_bytes());
    }
    for exact in [parts.charged, parts.uncollected, parts.drawn] {
        w.raw(&exact.to_bytes());
    }
}

fn read_parts(r: &mut Reader<'_>) -> Result<Parts> {
    let number = r.u64()?;
    let (receipt, used) = (Digest::new(r.array()?), Digest::new(r.array()?));
    let mut by_meter = || {
        let mut units = BTreeMap::new();
        for _ in 0..r.count(12)? {
            units.insert(r.text()?, r.u64()?);
        }
        Ok::<_, Error>(units)
    };
    let (quantities, granted) = (by_meter()?, by_meter()?);
    let mut lines = Vec::new();
    for _ in 0..r.count(36)? {
        let charge = r.u32()?.try_into().map_err(|_| r.malformed("no such charge"))?;
        lines.push(PartLine { charge, units: r.u64()?, amount: Exact::from_bytes(&r.array()?)? });
    }
    let mut exact = || Exact::from_bytes(&r.array()?);
    let (charged, uncollected, drawn) = (exact()?, exact()?, exact()?);
    Ok(Parts { number, receipt, used, quantities, lines, granted, charged, uncollected, drawn })
}

fn read_subscription(r: &mut Reader<'_>, state: &State) -> Result<Subscription> {
    let plan = state.plan(&Digest::new(r.array()?))?.clone();
    let payer = Digest::new(r.array()?);
    let payer_salt = Digest::new(r.array()?);
    let name = read_option(r, Reader::text)?;
    let started_at = read_time(r)?;
    let lane = Digest::new(r.array()?);
    let denied = r.u64()?;
    let switched = r.flag()?;
    let switched_to = read_option(r, |r| r.array().map(Digest::new))?;
    let lease = read_option(r, |r| Lease::from_bytes(r.bytes()?).map(Arc::new))?;
    let (closed, leased) = (r.flag()?, r.u32()?);
    let returned = Exact::from_bytes(&r.array()?)?;
    let paid_from =
        if switched || lease.is_some() { started_at } else { plan.paid_from(started_at) };
    let mut account = Account::new(&plan, started_at, paid_from)?;
    account.until = read_time(r)?;
    read_account(r, &plan, &mut account)?;
    let mut holds = BTreeMap::new();
    for _ in 0..r.count(94)? {
        let subject = Digest::new(r.array()?);
        let hold = Hold {
            subject,
            lane: Digest::new(r.array()?),
            authorized_at: read_time(r)?,
            deadline: read_time(r)?,
            state: match r.u8()? {
                1 => HoldState::Open,
                2 => HoldState::Unknown,
                3 => HoldState::Expired,
                _ => return Err(r.malformed("no hold state of this number")),
            },
            units: read_units(r)?.into(),
            limited: read_units(r)?.into(),
            reserved: read_reserved(r)?.into(),
            attributes: Arc::new(read_attributes(r)?),
            parts: read_option(r, read_parts)?.map(Arc::new),
        };
        if hold.is_reserved() {
            account.enter(&plan, &hold);
        }
        holds.insert(subject, hold);
    }
    let mut remembered = BTreeMap::new();
    for _ in 0..r.count(128)? {
        let subject = Digest::new(r.array()?);
        let known = Remembered {
            input: Digest::new(r.array()?),
            receipt: Digest::new(r.array()?),
            used: Digest::new(r.array()?),
        };
        remembered.insert(subject, known);
    }
    let mut forgetting = BTreeSet::new();
    for _ in 0..r.count(40)? {
        forgetting.insert((read_time(r)?, Digest::new(r.array()?)));
    }
    let mut evidence = BTreeMap::new();
    for _ in 0..r.count(40)? {
        let wanted = Wanted { attestor: Address::new(r.array()?), statement: r.text()? };
        let validity = Validity { issued_at: read_time(r)?, expires_at: read_time(r)? };
        evidence.insert(wanted, validity);
    }
    let given_back = read_given_back(r)?;
    Ok(Subscription {
        plan,
        payer,
        payer_salt,
        name,
        started_at,
        account,
        lane,
        holds,
        remembered,
        forgetting,
        denied,
        switched,
        switched_to,
        lease,
        closed,
        leased,
        returned,
        evidence,
        given_back,
    })
}

fn write_account(w: &mut Writer, plan: &Plan, account: &Account) {
    for (charge, windows) in plan.charges().iter().zip(&account.counters) {
        w.count(windows.len());
        for (window, counter) in windows.iter() {
            window.write(w);
            w.u64(counter.units)
                .raw(&counter.billed.to_bytes())
                .raw(&counter.granted.to_bytes())
                .u64(counter.outstanding)
                .raw(&counter.held.to_bytes())
                .raw(&counter.lent.to_bytes())
                .u64(counter.leases)
                .flag(counter.returned);
            if !charge.aggregate.adds() {
                write_seen(w, &counter.seen);
            }
        }
    }
    for tally in &account.tallies {
        write_tally(w, tally);
    }
    for pace in &account.rates {
        write_pace(w, pace);
    }
    for from in account.pending.iter().flat_map(|pending| [pending.start, pending.close]) {
        write_option(w, from.as_ref(), |w, from| {
            w.u64(from.millis());
        });
    }
    for committed in &account.commitments {
        write_option(w, committed.from.as_ref(), |w, from| {
            w.u64(from.millis());
        });
        w.count(committed.billed.len());
        for (window, billed) in committed.billed.iter() {
            window.write(w);
            w.raw(&billed.to_bytes());
        }
    }
    write_grants(w, &account.grants);
}

fn write_tally(w: &mut Writer, tally: &Tally) {
    w.count(tally.recorded().count());
    for (window, counted) in tally.recorded() {
        window.write(w);
        w.count(counted.len());
        for (value, sum) in counted.iter() {
            w.text(value).raw(&sum.to_bytes());
        }
    }
}

fn read_tally(r: &mut Reader<'_>) -> Result<Tally> {
    let mut tally = Tally::default();
    for _ in 0..r.count(20)? {
        let window = Window::read(r)?;
        let mut counted = ByValue::default();
        for _ in 0..r.count(28)? {
            let value = r.text()?;
            let sum = Exact::from_bytes(&r.array()?)?;
            counted.open(&value, || sum);
        }
        tally.restore(window, counted);
    }
    Ok(tally)
}

fn write_pace(w: &mut Writer, pace: &Pace) {
    w.count(pace.len());
    for (value, state) in pace.iter() {
        w.text(value).u128(state);
    }
}

fn read_pace(r: &mut Reader<'_>) -> Result<Pace> {
    let mut pace = Pace::default();
    for _ in 0..r.count(20)? {
        pace.restore(&r.text()?, r.u128()?);
    }
    Ok(pace)
}

fn write_seen(w: &mut Writer, seen: &Seen) {
    w.u64(seen.at.millis()).count(seen.values.len());
    for value in &seen.values {
        w.text(value);
    }
    w.count(seen.sizes.len());
    for ((units, at), holds) in &seen.sizes {
        w.u64(*units).u64(at.millis()).u64(*holds);
    }
    w.count(seen.names.len());
    for (value, holds) in &seen.names {
        w.text(value).u64(*holds);
    }
}

fn read_seen(r: &mut Reader<'_>) -> Result<Seen> {
    let mut seen = Seen { at: read_time(r)?, ..Seen::default() };
    for _ in 0..r.count(4)? {
        seen.values.insert(r.text()?);
    }
    for _ in 0..r.count(24)? {
        seen.sizes.insert((r.u64()?, read_time(r)?), r.u64()?);
    }
    for _ in 0..r.count(12)? {
        let value = r.text()?;
        seen.new = seen.new.saturating_add(u64::from(seen.is_new(&value)));
        seen.names.insert(value, r.u64()?);
    }
    Ok(seen)
}

/// A grant of the plan is named, one that a command gave has its terms.
fn write_grants(w: &mut Writer, grants: &Grants) {
    w.count(grants.iter().count());
    for given in grants.iter() {
        write_option(w, given.document.as_ref(), |w, document| {
            w.bytes(document);
        });
        w.text(&given.terms.id).u64(given.given_at.millis());
        write_option(w, given.expires_at.as_ref(), |w, at| {
            w.u64(at.millis());
        });
        w.raw(&given.balance.to_bytes()).u64(given.reserved).flag(given.voided).flag(given.rolled);
    }
    w.count(grants.stopped().len());
    for id in grants.stopped() {
        w.text(id);
    }
}

fn read_grants(r: &mut Reader<'_>, plan: &Plan, started_at: Timestamp) -> Result<Grants> {
    let mut given = Vec::new();
    for _ in 0..r.count(48)? {
        let document: Option<Arc<[u8]>> = read_option(r, |r| Ok(r.bytes()?.into()))?;
        let id = r.text()?;
        let terms = match &document {
            Some(document) => Arc::new(Grant::from_json(document, plan)?),
            None => plan
                .shared_grants()
                .iter()
                .find(|terms| terms.id == id)
                .cloned()
                .ok_or_else(|| r.malformed("no grant of this id in the plan"))?,
        };
        given.push(Given {
            terms,
            document,
            given_at: read_time(r)?,
            expires_at: read_option(r, read_time)?,
            balance: Exact::from_bytes(&r.array()?)?,
            reserved: r.u64()?,
            voided: r.flag()?,
            rolled: r.flag()?,
        });
    }
    let mut stopped = BTreeSet::new();
    for _ in 0..r.count(4)? {
        stopped.insert(r.text()?);
    }
    Ok(Grants::restore(started_at, given, stopped))
}

fn read_account(r: &mut Reader<'_>, plan: &Plan, account: &mut Account) -> Result<()> {
    for (index, charge) in plan.charges().iter().enumerate() {
        let mut opened: BTreeSet<Window> = BTreeSet::new();
        for _ in 0..r.count(80)? {
            let window = Window::read(r)?;
            let counter = Counter {
                units: r.u64()?,
                billed: Exact::from_bytes(&r.array()?)?,
                granted: Exact::from_bytes(&r.array()?)?,
                outstanding: r.u64()?,
                held: Exact::from_bytes(&r.array()?)?,
                lent: Exact::from_bytes(&r.array()?)?,
                leases: r.u64()?,
                returned: r.flag()?,
                seen: if charge.aggregate.adds() { Seen::default() } else { read_seen(r)? },
                ..Counter::default()
            };
            if !opened.insert(window) {
                return Err(r.malformed("a window twice"));
            }
            if let Some(windows) = account.counters.get_mut(index) {
                windows.push(window, counter);
            }
            account.refresh(plan, index, window)?;
        }
    }
    for tally in &mut account.tallies {
        *tally = read_tally(r)?;
    }
    for pace in &mut account.rates {
        *pace = read_pace(r)?;
    }
    for pending in &mut account.pending {
        *pending = Pending { start: read_option(r, read_time)?, close: read_option(r, read_time)? };
    }
    for committed in &mut account.commitments {
        committed.from = read_option(r, read_time)?;
        for _ in 0..r.count(40)? {
            let window = Window::read(r)?;
            committed.billed.push(window, Exact::from_bytes(&r.array()?)?);
        }
    }
    account.grants = read_grants(r, plan, account.started_at)?;
    Ok(())
}
