//! The JSON form of a settlement.

use alloc::{string::ToString, vec::Vec};

use crate::{
    crypto::Digest,
    json::{Object, Value},
    settlement::{LaneLine, PayoutTree, Settlement, Totals},
};

/// The format's name.
const FORMAT: &str = "counterfoil/settlement/0";

fn text(value: &impl ToString) -> Value {
    Value::from(value.to_string())
}

impl Settlement {
    /// The settlement as a document: totals, lanes, payees, and the payout tree with a proof per
    /// payee. Amounts are decimal strings of atomic units.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let payees: Vec<Value> = self
            .payees
            .iter()
            .map(|line| {
                Value::object([
                    ("payee", text(&line.payee)),
                    ("payable", text(&line.payable)),
                    ("owed", text(&line.owed)),
                ])
            })
            .collect();
        let lanes: Vec<Value> = self.lanes.iter().map(|(id, line)| lane(id, line)).collect();
        let mut document = Object::new();
        document.insert("format", FORMAT);
        document.insert("currency", self.currency.id());
        document.insert("decimals", u64::from(self.currency.decimals()));
        document.insert("closing", self.closing);
        document.insert("commitment", text(&self.commitment));
        document.insert("totals", totals(&self.totals));
        document.insert("payees", payees);
        document.insert("payouts", self.payouts.as_ref().map_or(Value::Null, tree));
        document.insert("lanes", lanes);
        Value::Object(document)
    }
}

fn totals(t: &Totals) -> Value {
    Value::object([
        ("gross", text(&t.gross)),
        ("credited", text(&t.credited)),
        ("collected", text(&t.collected)),
        ("fees", text(&t.fees)),
        ("claimable", text(&t.claimable)),
        ("owed", text(&t.owed)),
        ("held", text(&t.held)),
        ("sold", text(&t.sold)),
        ("refunded", text(&t.refunded)),
        ("spent", text(&t.spent)),
        ("unearned", text(&t.unearned)),
        ("payouts", text(&t.payouts)),
        ("residue", text(&t.residue)),
    ])
}

fn lane(id: &Digest, line: &LaneLine) -> Value {
    Value::object([
        ("lane", text(id)),
        ("subscription", text(&line.subscription)),
        ("payer", text(&line.payer)),
        ("rail", text(&line.rail)),
        ("last", text(&line.last)),
        ("head", text(&line.head)),
        ("gross", text(&line.gross)),
        ("credited", text(&line.credited)),
        ("collected", text(&line.collected)),
        ("fee", text(&line.fee)),
    ])
}

/// Root, the dump that `StandardMerkleTree.load` reads, and a proof per payee.
fn tree(tree: &PayoutTree) -> Value {
    let dump = tree.dump();
    let nodes: Vec<Value> = dump.tree.iter().map(text).collect();
    let encoding: Vec<Value> = dump.leaf_encoding.iter().map(|kind| Value::from(*kind)).collect();
    let mut values = Vec::new();
    let mut proofs = Vec::new();
    for placed in &dump.values {
        let leaf = &placed.leaf;
        let fields = [text(&leaf.payee), text(&leaf.token), text(&leaf.cumulative)];
        values.push(Value::object([
            ("value", Value::from(Vec::from(fields))),
            ("treeIndex", Value::from(u64::try_from(placed.tree_index).unwrap_or(u64::MAX))),
        ]));
        if let Some((leaf, proof)) = tree.proof(leaf.payee, leaf.token) {
            let proof: Vec<Value> = proof.iter().map(text).collect();
            proofs.push(Value::object([
                ("payee", text(&leaf.payee)),
                ("token", text(&leaf.token)),
                ("cumulative", text(&leaf.cumulative)),
                ("proof", Value::from(proof)),
            ]));
        }
    }
    Value::object([
        ("root", text(&tree.root())),
        (
            "dump",
            Value::object([
                ("format", Value::from(dump.format)),
                ("leafEncoding", Value::from(encoding)),
                ("tree", Value::from(nodes)),
                ("values", Value::from(values)),
            ]),
        ),
        ("proofs", Value::from(proofs)),
    ])
}
