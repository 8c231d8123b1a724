//! How usage objects are read: a surface is a table, and this reads any of them.

use alloc::format;

use crate::{
    error::{Code, Error, Result},
    json::{Node, Value},
    usage::{
        Surface, Usage,
        meters::{index, name, within},
    },
};

/// A path of member names joined by `/`; empty for the object itself.
type Path = &'static str;

/// Paths of members that say the same: those that are there must agree.
type Paths = &'static [Path];

/// One surface. Paths start at the usage object, those of `usage` and `attributes` at the body.
pub(super) struct Dialect {
    /// Where the usage object may stand; the first that is there is read.
    pub(super) usage: &'static [Path],
    /// (attribute, where its text stands); a later one replaces an earlier one.
    pub(super) attributes: &'static [(&'static str, Path)],
    /// What adds up to `input_tokens`.
    pub(super) input: &'static [Count],
    /// What adds up to `output_tokens`.
    pub(super) output: &'static [Count],
    pub(super) total: Total,
    pub(super) splits: &'static [Split],
    /// Counts that lie inside what is set already, or stand for themselves: (where, meter).
    pub(super) parts: &'static [(Paths, &'static str)],
    pub(super) lists: &'static [List],
}

/// A count that is an addend of a whole.
pub(super) struct Count {
    from: Paths,
    required: bool,
    /// The part of the whole that it is, if it is one.
    meter: Option<&'static str>,
}

/// A count that must be there.
pub(super) const fn must(from: Paths) -> Count {
    Count { from, required: true, meter: None }
}

/// A count that may be left out, then it is 0.
pub(super) const fn may(from: Paths) -> Count {
    Count { from, required: false, meter: None }
}

impl Count {
    /// The addend is a part with a meter of its own.
    pub(super) const fn part(self, meter: &'static str) -> Count {
        Count { from: self.from, required: self.required, meter: Some(meter) }
    }
}

/// The surface's own sum of everything.
pub(super) enum Total {
    /// It must be input plus output.
    Required(Path),
    /// It must be input plus output, with or without these parts.
    With(Path, &'static [&'static str]),
    /// The surface has none, and who has one is another surface.
    Refused(Path),
    /// The surface has none.
    None,
}

/// If `when` is there, `parts` add up to `of`.
pub(super) struct Split {
    pub(super) when: Path,
    pub(super) parts: &'static [Path],
    pub(super) of: Paths,
}

/// An array of objects with a kind and a count; together they are at most `of`.
pub(super) struct List {
    pub(super) from: Path,
    pub(super) kind: Path,
    pub(super) count: Path,
    pub(super) of: Paths,
    /// Together they are exactly `of`.
    pub(super) whole: bool,
    /// (kind, meter); other kinds stay in the whole.
    pub(super) meters: &'static [(&'static str, &'static str)],
}

impl Dialect {
    pub(super) fn read(&self, surface: Surface, body: Node<'_>) -> Result<Usage> {
        let found = self.open(body)?;
        let mut usage = Usage::new(surface, crate::usage::Basis::Reported);
        for (attribute, path) in self.attributes {
            if let Some(value) = there(body, path)? {
                let text = value.text()?;
                usage.set_attribute(attribute, text).map_err(|e| e.at(value.pointer()))?;
            }
        }
        let input = add(&mut usage, found, self.input)?;
        let output = add(&mut usage, found, self.output)?;
        usage.set("input_tokens", input)?;
        usage.set("output_tokens", output)?;
        self.check_total(&usage, found, input, output)?;
        for split in self.splits {
            split.check(found)?;
        }
        for (paths, meter) in self.parts {
            if let Some((quantity, node)) = count(found, paths)? {
                put(&mut usage, meter, quantity)?;
                check_wholes(&usage, meter, node)?;
            }
        }
        for list in self.lists {
            list.read(&mut usage, found)?;
        }
        Ok(usage)
    }

    /// The usage object.
    fn open<'a>(&self, body: Node<'a>) -> Result<Node<'a>> {
        body.fields()?;
        if let Some(found) = self.find(body)? {
            found.fields()?;
            return Ok(found);
        }
        let place = self.usage.first().copied().unwrap_or_default();
        Err(Error::new(Code::UsageMissing).at(format!("{}/{place}", body.pointer())))
    }

    /// What stands where a usage object may.
    pub(super) fn find<'a>(&self, body: Node<'a>) -> Result<Option<Node<'a>>> {
        for path in self.usage {
            if let Some(found) = there(body, path)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Whether the member of a body is, or has in it, what is read.
    pub(super) fn reads(&self, member: &str) -> bool {
        let attributes = self.attributes.iter().map(|(_, path)| path);
        attributes.chain(self.usage).any(|path| path.split('/').next() == Some(member))
    }

    /// The sum of the addends of the output that a usage object has; `None` if it has none.
    pub(super) fn output_of(&self, found: Node<'_>) -> Result<Option<u64>> {
        let mut sum = None;
        for addend in self.output {
            if let Some((quantity, node)) = count(found, addend.from)? {
                let more = sum.unwrap_or(0_u64).checked_add(quantity);
                sum = Some(more.ok_or_else(|| node.error(Code::UsageQuantity))?);
            }
        }
        Ok(sum)
    }

    fn check_total(&self, usage: &Usage, found: Node<'_>, input: u64, output: u64) -> Result<()> {
        let (path, aside) = match self.total {
            Total::None => return Ok(()),
            Total::Refused(path) => {
                return there(found, path)?.map_or(Ok(()), |total| {
                    Err(total.error(Code::UsageSurface).because("this surface reports no total"))
                });
            }
            Total::Required(path) => (path, &[][..]),
            Total::With(path, aside) => (path, aside),
        };
        let total = find(found, path)?.ok_or_else(|| missing(found, path))?;
        let reported = total.integer()?;
        let whole = input.checked_add(output);
        let without = aside
            .iter()
            .try_fold(whole, |left, meter| Some(left?.checked_sub(usage.get(meter))))
            .flatten();
        if Some(reported) != whole && Some(reported) != without {
            return Err(total.error(Code::UsageTotal));
        }
        Ok(())
    }
}

impl Split {
    fn check(&self, found: Node<'_>) -> Result<()> {
        let Some(when) = there(found, self.when)? else { return Ok(()) };
        let mut sum = Some(0_u64);
        for path in self.parts {
            let (part, _) = count(found, &[path])?.unwrap_or((0, found));
            sum = sum.and_then(|sum| sum.checked_add(part));
        }
        let (of, _) = count(found, self.of)?.unwrap_or((0, found));
        if sum != Some(of) {
            return Err(when
                .error(Code::UsageContradiction)
                .because("the parts differ from their whole"));
        }
        Ok(())
    }
}

impl List {
    fn read(&self, usage: &mut Usage, found: Node<'_>) -> Result<()> {
        let Some(list) = there(found, self.from)? else { return Ok(()) };
        let too_many = || Error::new(Code::UsageQuantity).at(list.pointer());
        let mut sum = 0_u64;
        for item in list.items()? {
            let kind = there(item, self.kind)?.map(|kind| kind.text()).transpose()?;
            let (quantity, _) = count(item, &[self.count])?.unwrap_or((0, item));
            sum = sum.checked_add(quantity).ok_or_else(too_many)?;
            if let Some((_, meter)) = self.meters.iter().find(|(known, _)| Some(*known) == kind) {
                let so_far = usage.get(meter).checked_add(quantity).ok_or_else(too_many)?;
                put(usage, meter, so_far)?;
            }
        }
        let (of, _) = count(found, self.of)?.unwrap_or((0, found));
        if sum > of || (self.whole && sum != of) {
            return Err(list
                .error(Code::UsageContradiction)
                .because("the parts differ from their whole"));
        }
        self.meters.iter().try_for_each(|(_, meter)| check_wholes(usage, meter, list))
    }
}

/// The sum of the addends of a whole; those with a meter are set.
fn add(usage: &mut Usage, found: Node<'_>, counts: &[Count]) -> Result<u64> {
    let mut sum = 0_u64;
    for addend in counts {
        let quantity = match count(found, addend.from)? {
            Some((quantity, _)) => quantity,
            None if addend.required => {
                let path = addend.from.first().copied().unwrap_or_default();
                // Null, where a count must be, is of the wrong type.
                find(found, path)?.ok_or_else(|| missing(found, path))?.integer()?
            }
            None => continue,
        };
        sum = sum
            .checked_add(quantity)
            .ok_or_else(|| Error::new(Code::UsageQuantity).at(found.pointer()))?;
        if let Some(meter) = addend.meter {
            put(usage, meter, quantity)?;
        }
    }
    Ok(sum)
}

/// Sets a meter; a part that is 0 is not set, unless it takes the place of what was set.
fn put(usage: &mut Usage, meter: &str, quantity: u64) -> Result<()> {
    if quantity > 0 || usage.get(meter) > 0 {
        usage.set(meter, quantity)?;
    }
    Ok(())
}

/// A part is at most each of its wholes.
fn check_wholes(usage: &Usage, meter: &str, node: Node<'_>) -> Result<()> {
    let Some(part) = index(meter) else { return Ok(()) };
    let wholes = within(part);
    let quantity = usage.get(meter);
    match wholes.parts_first().find(|whole| usage.get(name(*whole)) < quantity) {
        Some(_) => Err(node.error(Code::UsageContradiction)),
        None => Ok(()),
    }
}

/// The count that stands at one of these paths, and where; null counts as not there.
fn count<'a>(found: Node<'a>, paths: &[Path]) -> Result<Option<(u64, Node<'a>)>> {
    let mut known: Option<(u64, Node<'a>)> = None;
    for path in paths {
        let Some(node) = there(found, path)? else { continue };
        let quantity = node.integer()?;
        match known {
            Some((earlier, _)) if earlier != quantity => {
                return Err(node
                    .error(Code::UsageContradiction)
                    .because("two members that say the same differ"));
            }
            Some(_) => {}
            None => known = Some((quantity, node)),
        }
    }
    Ok(known)
}

/// What stands at a path and is not null.
pub(super) fn there<'a>(from: Node<'a>, path: Path) -> Result<Option<Node<'a>>> {
    Ok(find(from, path)?.filter(|node| *node.value() != Value::Null))
}

/// What stands at a path; on the way, null counts as not there.
fn find<'a>(from: Node<'a>, path: Path) -> Result<Option<Node<'a>>> {
    let mut at = Some(from);
    for step in path.split('/').filter(|step| !step.is_empty()) {
        at = match at {
            Some(node) if *node.value() != Value::Null => node.fields()?.optional(step),
            _ => return Ok(None),
        };
    }
    Ok(at)
}

fn missing(found: Node<'_>, path: Path) -> Error {
    let name = path.rsplit('/').next().unwrap_or_default();
    Error::new(Code::JsonMissingField).at(format!("{}/{path}", found.pointer())).value(name)
}
