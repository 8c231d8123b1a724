//! The lanes root: one commitment to the state of every lane, sorted by lane id.
//!
//! The tree is that of the log. Here a root suffices to verify against, without the number of lanes:
//! a proof that makes two leaves neighbours, or a leaf the first or the last, leads to the root only
//! if they are, because the sides on which siblings are joined follow from the place in the tree.

use alloc::vec::Vec;

use super::proof::{LONGEST_INCLUSION, bounded, climb, leads_to, refused, within};
use super::prove::path_of;
use super::tree::{Frontier, empty_root, leaf_hash};
use crate::codec::Writer;
use crate::crypto::Digest;
use crate::error::{Code, Error, Result};

/// Where a lane stands: its last receipt and its two growing totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LaneState {
    /// The sequence number of the lane's last receipt.
    pub sequence: u64,
    /// The digest of that receipt's head.
    pub head: Digest,
    /// Everything charged so far, in atomic units.
    pub cumulative: u128,
    /// Everything credited so far, in atomic units.
    pub credited: u128,
}

impl LaneState {
    /// The hash of the leaf: lane id (32 bytes) ‖ sequence (8) ‖ head (32) ‖ cumulative (16) ‖
    /// credited (16), integers big-endian.
    fn leaf(&self, lane: &Digest) -> Digest {
        let mut data = Writer::with_capacity(104);
        data.raw(lane.bytes())
            .u64(self.sequence)
            .raw(self.head.bytes())
            .u128(self.cumulative)
            .u128(self.credited);
        leaf_hash(&data.0)
    }
}

/// The root over all lanes, in ascending order of lane ids.
///
/// # Errors
/// [`Code::BytesInvalid`] if the lanes are not ascending, or one occurs twice.
pub fn lanes_root<'a>(
    lanes: impl IntoIterator<Item = (&'a Digest, &'a LaneState)>,
) -> Result<Digest> {
    let mut tree = Frontier::new();
    for entry in ascending(lanes) {
        let (lane, state) = entry?;
        tree.append_hash(state.leaf(lane))?;
    }
    Ok(tree.root())
}

/// The lanes, checked for their order.
fn ascending<'a>(
    lanes: impl IntoIterator<Item = (&'a Digest, &'a LaneState)>,
) -> impl Iterator<Item = Result<(&'a Digest, &'a LaneState)>> {
    let mut before: Option<&Digest> = None;
    lanes.into_iter().map(move |(lane, state)| {
        if before.replace(lane).is_some_and(|before| before >= lane) {
            return Err(Error::new(Code::BytesInvalid)
                .value(lane)
                .because("lanes are not ascending"));
        }
        Ok((lane, state))
    })
}

/// Shows the state of a lane under a lanes root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LanePresence {
    lane: Digest,
    state: LaneState,
    index: u64,
    count: u64,
    path: Vec<Digest>,
}

impl LanePresence {
    /// A proof as it was received, for the lane at `index` of `count`: nothing is believed before
    /// [`verify`](Self::verify).
    ///
    /// # Errors
    /// [`Code::LogRange`] if `index` is not below `count`; [`Code::ProofInvalid`] if the path has more
    /// than 64 hashes.
    pub fn from_parts(
        lane: Digest,
        state: LaneState,
        index: u64,
        count: u64,
        path: Vec<Digest>,
    ) -> Result<Self> {
        within(index, count)?;
        bounded(&path, LONGEST_INCLUSION)?;
        Ok(LanePresence { lane, state, index, count, path })
    }

    /// The lane that the proof is about.
    #[must_use]
    pub fn lane(&self) -> &Digest {
        &self.lane
    }

    /// The state that the proof claims.
    #[must_use]
    pub fn claimed(&self) -> &LaneState {
        &self.state
    }

    /// The place of the lane, from 0.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The number of lanes.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The hashes of the sibling subtrees, from the leaf upwards.
    #[must_use]
    pub fn path(&self) -> &[Digest] {
        &self.path
    }

    /// Checks the proof and returns the state of `lane` that the root commits to.
    ///
    /// # Errors
    /// [`Code::ProofInvalid`], also if the proof is about another lane.
    pub fn verify(&self, lane: &Digest, root: &Digest) -> Result<LaneState> {
        if self.lane != *lane {
            return Err(refused("the proof is about another lane"));
        }
        self.leads_to(root)?;
        Ok(self.state)
    }

    fn leads_to(&self, root: &Digest) -> Result<()> {
        let leaf = self.state.leaf(&self.lane);
        leads_to(&climb(self.index, self.count, leaf, &self.path)?, root)
    }
}

/// Shows that there is no lane of an id under a lanes root: the lanes before and after its place are
/// neighbours, or the only one of the two is at that end, or there is no lane at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneAbsence {
    before: Option<LanePresence>,
    after: Option<LanePresence>,
}

impl LaneAbsence {
    /// A proof as it was received: nothing is believed before [`verify`](Self::verify).
    #[must_use]
    pub fn from_parts(before: Option<LanePresence>, after: Option<LanePresence>) -> Self {
        LaneAbsence { before, after }
    }

    /// The greatest lane below the absent one, and its place.
    #[must_use]
    pub fn before(&self) -> Option<&LanePresence> {
        self.before.as_ref()
    }

    /// The smallest lane above the absent one, and its place.
    #[must_use]
    pub fn after(&self) -> Option<&LanePresence> {
        self.after.as_ref()
    }

    /// Checks that the root commits to no lane of this id.
    ///
    /// # Errors
    /// [`Code::ProofInvalid`].
    pub fn verify(&self, lane: &Digest, root: &Digest) -> Result<()> {
        if let Some(before) = &self.before {
            before.leads_to(root)?;
            if before.lane >= *lane {
                return Err(refused("the lane before is not below"));
            }
        }
        if let Some(after) = &self.after {
            after.leads_to(root)?;
            if after.lane <= *lane {
                return Err(refused("the lane after is not above"));
            }
        }
        let closed = match (&self.before, &self.after) {
            (None, None) => *root == empty_root(),
            (None, Some(after)) => after.index == 0,
            (Some(before), None) => before.index.checked_add(1) == Some(before.count),
            (Some(before), Some(after)) => {
                before.index.checked_add(1) == Some(after.index) && before.count == after.count
            }
        };
        if closed { Ok(()) } else { Err(refused("there may be lanes between")) }
    }
}

/// Proves the state of a lane, among all lanes in ascending order.
///
/// # Errors
/// [`Code::LogRange`] if there is no such lane; [`Code::BytesInvalid`] if the lanes are not ascending.
pub fn prove_presence<'a>(
    lanes: impl IntoIterator<Item = (&'a Digest, &'a LaneState)>,
    lane: &Digest,
) -> Result<LanePresence> {
    let all = ascending(lanes).collect::<Result<Vec<_>>>()?;
    let found = all.binary_search_by_key(&lane, |(lane, _)| lane);
    let at = found.map_err(|_| Error::new(Code::LogRange).value(lane).because("no such lane"))?;
    at_place(&all, at)?.ok_or_else(|| Error::new(Code::LogRange).value(lane))
}

/// Proves that there is no such lane, among all lanes in ascending order.
///
/// # Errors
/// [`Code::LogRange`] if there is one; [`Code::BytesInvalid`] if the lanes are not ascending.
pub fn prove_absence<'a>(
    lanes: impl IntoIterator<Item = (&'a Digest, &'a LaneState)>,
    lane: &Digest,
) -> Result<LaneAbsence> {
    let all = ascending(lanes).collect::<Result<Vec<_>>>()?;
    match all.binary_search_by_key(&lane, |(lane, _)| lane) {
        Ok(_) => Err(Error::new(Code::LogRange).value(lane).because("there is such a lane")),
        Err(place) => Ok(LaneAbsence {
            before: place.checked_sub(1).map_or(Ok(None), |before| at_place(&all, before))?,
            after: at_place(&all, place)?,
        }),
    }
}

/// The proof for the lane at a place, if there is one.
fn at_place(all: &[(&Digest, &LaneState)], place: usize) -> Result<Option<LanePresence>> {
    let Some(&(lane, state)) = all.get(place) else { return Ok(None) };
    let hashed: Vec<_> = all.iter().map(|(lane, state)| state.leaf(lane)).collect();
    let [index, count] = [place, all.len()].map(|n| u64::try_from(n).unwrap_or(u64::MAX));
    let path = path_of(&hashed, index)?;
    Ok(Some(LanePresence { lane: *lane, state: *state, index, count, path }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;

    type Lanes = BTreeMap<Digest, LaneState>;

    /// Ids with gaps: 2, 4, 6, …
    fn id(n: u8) -> Digest {
        let mut bytes = [0; 32];
        bytes[31] = n;
        Digest::new(bytes)
    }

    fn lanes(count: u8) -> Lanes {
        let state = |n| LaneState {
            sequence: u64::from(n),
            head: crate::crypto::sha256(&[&[n]]),
            cumulative: 1000,
            credited: u128::from(n),
        };
        (1..=count).map(|n| (id(2 * n), state(n))).collect()
    }

    #[test]
    fn every_lane_is_proven_present_and_every_other_absent() {
        for count in 0..=18 {
            let lanes = lanes(count);
            let root = lanes_root(&lanes).unwrap();
            for n in 0..=2 * count + 3 {
                let lane = id(n);
                match lanes.get(&lane) {
                    Some(state) => {
                        let proof = prove_presence(&lanes, &lane).unwrap();
                        assert_eq!(proof.verify(&lane, &root).unwrap(), *state);
                        assert!(prove_absence(&lanes, &lane).is_err());
                    }
                    None => {
                        let proof = prove_absence(&lanes, &lane).unwrap();
                        proof.verify(&lane, &root).unwrap();
                        assert!(prove_presence(&lanes, &lane).is_err());
                    }
                }
            }
        }
    }

    #[test]
    fn every_field_of_a_state_counts() {
        let lanes = lanes(5);
        let root = lanes_root(&lanes).unwrap();
        let proof = prove_presence(&lanes, &id(6)).unwrap();
        assert!(proof.verify(&id(4), &root).is_err());
        let changes: [fn(&mut LanePresence); 6] = [
            |p| p.state.sequence ^= 1,
            |p| p.state.head = Digest::ZERO,
            |p| p.state.cumulative ^= 1 << 127,
            |p| p.state.credited ^= 1,
            |p| p.index ^= 1,
            |p| p.path[1] = Digest::ZERO,
        ];
        for change in changes {
            let mut changed = proof.clone();
            change(&mut changed);
            assert!(changed.verify(&id(6), &root).is_err());
        }
        let mut renamed = proof;
        renamed.lane = id(7);
        assert!(renamed.verify(&id(7), &root).is_err());
    }

    /// All ways to present two, one or no real leaves under any claimed places and counts.
    #[test]
    fn the_absence_of_a_present_lane_cannot_be_forged() {
        let lanes = lanes(7);
        let root = lanes_root(&lanes).unwrap();
        let mut claims = alloc::vec![None];
        for lane in lanes.keys() {
            let honest = prove_presence(&lanes, lane).unwrap();
            for count in 1..=16 {
                for index in 0..count {
                    let claim = LanePresence { index, count, ..honest.clone() };
                    if claim.leads_to(&root).is_ok() {
                        claims.push(Some(claim));
                    }
                }
            }
        }
        assert!(claims.len() > 8, "a root alone does not fix the count");
        for present in lanes.keys() {
            for before in &claims {
                for after in &claims {
                    let forged = LaneAbsence::from_parts(before.clone(), after.clone());
                    assert!(forged.verify(present, &root).is_err());
                }
            }
        }
    }

    #[test]
    fn lanes_are_ascending_and_unique() {
        let lanes = lanes(3);
        let twice = lanes.iter().chain(lanes.iter());
        assert_eq!(lanes_root(twice).unwrap_err().code(), Code::BytesInvalid);
        assert!(prove_absence(lanes.iter().rev(), &id(1)).is_err());
        assert_eq!(lanes_root(&Lanes::new()).unwrap(), empty_root());
    }
}
