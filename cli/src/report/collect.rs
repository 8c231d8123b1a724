//! From a ledger to what the page shows: one audited pass, in memory that does not grow with the
//! number of calls.

use std::collections::{BTreeMap, HashMap, VecDeque};

use counterfoil::audit::Counts;
use counterfoil::entry::{Denial, DenialCode, Entry, ReceiptEntry};
use counterfoil::meter::SubscriptionView;
use counterfoil::plan::Aggregate;
use counterfoil::rating::Model;
use counterfoil::receipt::{Item, Kind};
use counterfoil::time::{Anchor, Cycle, Period, Zone};
use counterfoil::{Exact, Meter, Plan, Result, Timestamp};

use super::data::*;
use super::steps::{Sums, steps, ten_minutes};
use super::text::{Civil, count, date, grouped};
use crate::audit::walk;
use crate::source::{Source, origin};

/// Subscribers with a row of their own.
const ROWS: usize = 12;
/// Receipts at the end of the page.
const LATEST: usize = 8;
/// Counters of tiers.
const TIERS: usize = 6;

/// What each charge counts: (id, units, amount).
type Lines = Vec<(String, u64, Exact)>;

#[derive(Default)]
struct Collector {
    /// By the start of their ten minutes.
    times: BTreeMap<u64, Sums>,
    meters: BTreeMap<String, (u128, Exact)>,
    subscribers: HashMap<counterfoil::Digest, Sums>,
    denials: BTreeMap<String, u64>,
    latest: VecDeque<(counterfoil::Digest, ReceiptRow)>,
    period: Option<(u64, u64)>,
    uncollected: Exact,
    /// Of calls that are charged in parts, what the last part counted, by subscription and subject: each
    /// part counts all that its call has used.
    running: HashMap<(counterfoil::Digest, counterfoil::Digest), Lines>,
    /// The subscription of each lane.
    lanes: HashMap<counterfoil::Digest, counterfoil::Digest>,
    plan: Option<Plan>,
}

/// Audits a ledger, or those of all shards, and collects its report.
pub(super) fn collect(sources: &[Source]) -> Result<Report> {
    let mut c = Collector::default();
    let (mut counts, mut meters) = (Counts::default(), Vec::new());
    for source in sources {
        let auditor = walk(source, None, |entry, _| c.add(entry))?;
        let more = auditor.counts();
        counts.receipts = counts.receipts.saturating_add(more.receipts);
        counts.denied = counts.denied.saturating_add(more.denied);
        counts.checkpoints = counts.checkpoints.saturating_add(more.checkpoints);
        meters.push(auditor.into_meter());
    }
    let verified = Verified {
        ok: true,
        text: format!(
            "{} re-rated and re-hashed, {}, every signature checked",
            count(counts.receipts, "receipt", "receipts"),
            count(counts.checkpoints, "checkpoint", "checkpoints")
        ),
    };
    c.finish(&meters, counts, verified)
}

impl Collector {
    fn add(&mut self, entry: &Entry) -> Result<()> {
        match entry {
            Entry::Plan(document) => self.plan = Some(Plan::from_json(document)?),
            Entry::Open(open) => {
                self.lanes.insert(open.lane.digest(), open.lane.subscription);
            }
            Entry::Denied(denied) => {
                let at = denied.at.millis();
                let step = self.step(at);
                step.denied = step.denied.saturating_add(1);
                if let Some(subscription) = self.lanes.get(&denied.lane).copied() {
                    let sums = self.subscribers.entry(subscription).or_default();
                    sums.denied = sums.denied.saturating_add(1);
                }
                let count =
                    self.denials.entry(reason(&denied.denial, self.plan.as_ref())).or_default();
                *count = count.saturating_add(1);
                self.seen(at);
            }
            Entry::Receipt(receipt)
                if matches!(receipt.head.kind, Kind::Call | Kind::Part | Kind::Period) =>
            {
                self.charge(receipt)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn step(&mut self, at: u64) -> &mut Sums {
        self.times.entry(ten_minutes(at)).or_default()
    }

    fn seen(&mut self, at: u64) {
        let (first, last) = self.period.unwrap_or((at, at));
        self.period = Some((first.min(at), last.max(at)));
    }

    /// A call, or a window that was billed without one.
    fn charge(&mut self, receipt: &ReceiptEntry) -> Result<()> {
        let head = &receipt.head;
        let at = head.authorized_at.millis();
        let charge = head.charge.atomic();
        let subscription = self.lanes.get(&head.lane).copied().unwrap_or(head.lane);
        let counted = self.running.remove(&(subscription, head.subject));
        for (meter, units, amount) in counted.iter().flatten() {
            if let Some((quantity, sum)) = self.meters.get_mut(meter) {
                *quantity = quantity.saturating_sub(u128::from(*units));
                *sum = sum.minus_or_zero(*amount);
            }
        }
        let a_call = matches!(head.kind, Kind::Call | Kind::Part);
        let call = u64::from(a_call && counted.is_none());
        let step = self.step(at);
        step.calls = step.calls.saturating_add(call);
        step.charged = step.charged.saturating_add(charge);
        self.seen(at);
        let sums = self.subscribers.entry(subscription).or_default();
        sums.calls = sums.calls.saturating_add(call);
        sums.charged = sums.charged.saturating_add(charge);
        let (mut usage, mut lines) = (Vec::new(), Vec::new());
        let mut exact = Exact::ZERO;
        for item in &receipt.body.items {
            match item {
                Item::Quantity { meter, quantity } if *quantity > 0 => {
                    usage.push(format!("{} {}", grouped(quantity), spaced(meter)));
                }
                Item::Line { charge, units, amount, .. } => {
                    let charges = self.plan.as_ref().map_or(&[][..], |plan| plan.charges());
                    let found = charges.iter().find(|c| c.id == *charge);
                    let meter = found.map_or_else(|| charge.clone(), |c| c.meter.clone());
                    lines.push((meter.clone(), *units, *amount));
                    let (quantity, sum) = self.meters.entry(meter).or_insert((0, Exact::ZERO));
                    let units = u128::from(*units);
                    *quantity = match found.map(|c| &c.aggregate) {
                        Some(Aggregate::Max | Aggregate::Latest) => units.max(*quantity),
                        _ => quantity.saturating_add(units),
                    };
                    *sum = sum.checked_add(*amount)?;
                }
                Item::Price { exact: price, uncollected, .. } => {
                    exact = *price;
                    self.uncollected = self.uncollected.checked_add(*uncollected)?;
                }
                _ => {}
            }
        }
        if head.kind == Kind::Part {
            self.running.insert((subscription, head.subject), lines);
        }
        let decimals = self.plan.as_ref().map_or(0, |plan| plan.currency().decimals());
        let row = ReceiptRow {
            issued_ms: head.issued_at.millis(),
            subscriber: String::new(),
            sequence: head.sequence,
            usage: usage.join(", "),
            exact: exact.to_decimal(decimals),
            cumulative: head.cumulative.atomic(),
        };
        // Of two ledgers, the one read later may hold the earlier ones.
        let newer = |(_, other): &&(_, ReceiptRow)| other.issued_ms > row.issued_ms;
        let before = self.latest.iter().take_while(newer).count();
        self.latest.insert(before, (subscription, row));
        self.latest.truncate(LATEST);
        Ok(())
    }

    fn finish(self, meters: &[Meter], counts: Counts, verified: Verified) -> Result<Report> {
        let lanes = || meters.iter().flat_map(Meter::lanes);
        let decimals = self.plan.as_ref().map_or(0, |plan| plan.currency().decimals());
        let names: HashMap<_, _> =
            meters.iter().flat_map(Meter::subscriptions).map(|s| (s.id, name_of(&s))).collect();
        let name = |id| names.get(id).cloned().unwrap_or_else(|| format!("{id}"));
        let mut subscribers: Vec<_> = self
            .subscribers
            .iter()
            .map(|(id, sums)| {
                (
                    *id,
                    SubscriberRow {
                        name: name(id),
                        calls: sums.calls,
                        denied: sums.denied,
                        charged: sums.charged,
                    },
                )
            })
            .collect();
        subscribers.sort_by(|(_, a), (_, b)| b.charged.cmp(&a.charged).then(a.name.cmp(&b.name)));
        let largest: Vec<_> = subscribers.iter().map(|(id, _)| *id).take(TIERS).collect();
        let mut rows: Vec<_> = subscribers.into_iter().map(|(_, row)| row).collect();
        let rest = rows.split_off(ROWS.min(rows.len()));
        let credited = lanes().map(|lane| lane.credited.whole()).fold(0, u128::saturating_add);
        let charged: u128 =
            self.subscribers.values().map(|s| s.charged).fold(0, u128::saturating_add);
        let totals = Totals {
            calls: self.subscribers.values().map(|s| s.calls).fold(0, u64::saturating_add),
            denied: counts.denied,
            charged,
            credited,
            uncollected: self.uncollected.to_decimal(decimals),
            receipts: counts.receipts,
            subscribers: u64::try_from(names.len()).unwrap_or(u64::MAX),
            lanes: lanes().fold(0, |n: u64, _| n.saturating_add(1)),
            checkpoints: counts.checkpoints,
        };
        let mut by_meter: Vec<_> = self
            .meters
            .iter()
            .map(|(meter, (quantity, exact))| MeterRow {
                meter: spaced(meter),
                quantity: *quantity,
                exact: exact.to_decimal(decimals),
                charged: exact.whole(),
            })
            .collect();
        by_meter.sort_by(|a, b| b.charged.cmp(&a.charged).then(a.meter.cmp(&b.meter)));
        let mut denials: Vec<_> = self
            .denials
            .iter()
            .map(|(reason, count)| DenialRow { reason: reason.clone(), count: *count })
            .collect();
        denials.sort_by(|a, b| b.count.cmp(&a.count).then(a.reason.cmp(&b.reason)));
        let latest =
            self.latest.iter().map(|(id, row)| ReceiptRow { subscriber: name(id), ..row.clone() });
        Ok(Report {
            title: String::new(),
            plan_name: self.plan.as_ref().map_or_else(String::new, |p| String::from(p.name())),
            plan_id: self.plan.as_ref().map_or_else(String::new, |p| p.id().to_string()),
            currency: Currency {
                label: self.plan.as_ref().map_or_else(String::new, |p| p.currency().label()),
                decimals,
            },
            ledger_origin: String::from(origin(meters).unwrap_or_default()),
            signer: meters
                .iter()
                .find_map(Meter::signer)
                .map_or_else(String::new, |a| a.to_string()),
            period: self.period,
            verified,
            totals,
            over_time: steps(&self.times),
            by_meter,
            by_subscriber: rows,
            other_subscribers: others(&rest),
            denials,
            tiers: tiers(meters, &largest),
            settlement: None,
            latest_receipts: latest.collect(),
        })
    }
}

fn name_of(s: &SubscriptionView) -> String {
    s.name.clone().unwrap_or_else(|| s.payer.to_string())
}

fn others(rest: &[SubscriberRow]) -> Option<OtherSubscribers> {
    if rest.is_empty() {
        return None;
    }
    Some(OtherSubscribers {
        count: u64::try_from(rest.len()).unwrap_or(u64::MAX),
        calls: rest.iter().map(|r| r.calls).fold(0, u64::saturating_add),
        denied: rest.iter().map(|r| r.denied).fold(0, u64::saturating_add),
        charged: rest.iter().map(|r| r.charged).fold(0, u128::saturating_add),
    })
}

/// How far the largest subscribers have come through tiers and free quantities.
fn tiers(meters: &[Meter], largest: &[counterfoil::Digest]) -> Vec<TierProgress> {
    let mut list = Vec::new();
    for id in largest {
        let found = meters.iter().find_map(|meter| Some((meter, meter.subscription(id)?)));
        let Some((meter, subscription)) = found else { continue };
        let Some(plan) = meter.plan(&subscription.plan) else { continue };
        let currency = plan.currency();
        for counter in &subscription.counters {
            let Some(charge) = plan.charges().iter().find(|c| c.id == counter.charge) else {
                continue;
            };
            let free = charge.tariff.free();
            let tiers: Vec<Tier> = match charge.tariff.model() {
                Model::Graduated { tiers } | Model::Volume { tiers } => tiers
                    .iter()
                    .map(|tier| Tier {
                        up_to: tier.up_to,
                        price: short_price(tier.price.exact(), currency),
                    })
                    .collect(),
                Model::PerUnit { price } if free > 0 => {
                    vec![Tier { up_to: None, price: short_price(price.exact(), currency) }]
                }
                _ => continue,
            };
            let above = counter.units.saturating_sub(free);
            let current = (above > 0).then(|| {
                tiers.iter().position(|tier| tier.up_to.is_none_or(|bound| above <= bound))
            });
            list.push(TierProgress {
                charge: counter.charge.clone(),
                meter: spaced(&charge.meter),
                subscriber: name_of(&subscription),
                window: window_name(charge.period, local(plan.zone(), counter.window.start)),
                used: u128::from(counter.units),
                free,
                tiers,
                current: current.flatten(),
            });
            if list.len() >= TIERS {
                return list;
            }
        }
    }
    list
}

/// `2.5 USDC per 1M`: a column is narrow.
fn short_price(price: Exact, currency: &counterfoil::Currency) -> String {
    currency.tell_price(price).replace("per 1,000,000", "per 1M")
}

/// `output tokens`
fn spaced(meter: &str) -> String {
    meter.replace('_', " ")
}

/// What the clock of a zone shows at an instant, as if it were one of UTC.
fn local(zone: Option<&Zone>, at: Timestamp) -> u64 {
    let offset = zone.map_or(0, |zone| i64::from(zone.offset(at)).saturating_mul(1_000));
    at.millis().saturating_add_signed(offset)
}

/// `October 2026`, `week of 5 Oct 2026`, `16 Nov 2023, 18:00`
fn window_name(cycle: Option<Cycle>, start: u64) -> String {
    let at = Civil::of(start);
    let Some(cycle) = cycle else { return String::from("whole term") };
    if cycle.anchor() != Anchor::Calendar {
        return format!("from {}, {}", date(start), at.clock());
    }
    match cycle.every() {
        Period::Hour => format!("{}, from {}", date(start), at.clock()),
        Period::Day => date(start),
        Period::Week => format!("week of {}", date(start)),
        Period::Month => format!("{} {}", at.month_name(), at.year),
        Period::Year => at.year.to_string(),
    }
}

/// Why a call was denied, with the name that the plan gives to the rule, or the clause of its condition.
fn reason(denial: &Denial, plan: Option<&Plan>) -> String {
    let name = denial.rule.strip_prefix("limits/").unwrap_or(&denial.rule);
    let name = &match name.strip_suffix("/across") {
        Some(name) => format!("{name}, of all subscriptions of the payer"),
        None => String::from(name),
    };
    match denial.code {
        DenialCode::LimitReached if denial.meter.is_some() => {
            format!("Usage limit reached: {name}")
        }
        DenialCode::LimitReached => format!("Spend limit reached: {name}"),
        DenialCode::ConcurrencyReached => format!("Too many calls at one time: {name}"),
        DenialCode::ValuesReached => format!("Too many values: {name}"),
        DenialCode::RateExceeded => format!("Rate limit exceeded: {name}"),
        DenialCode::LeaseExhausted => format!("The lease has no room: {name}"),
        DenialCode::TermEnded => String::from("The subscription had ended"),
        DenialCode::ConditionFailed => {
            let path = name.strip_prefix("condition").unwrap_or_default();
            match plan.and_then(|plan| plan.condition()?.at(path)) {
                Some((clause, false)) => format!("Condition not met: {clause}"),
                Some((clause, true)) => format!("Condition met that must not be: {clause}"),
                None => String::from("Condition not met"),
            }
        }
    }
}
