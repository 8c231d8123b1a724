//! What is known of subscribers beside their names.

use std::collections::BTreeMap;
use std::path::Path;

use counterfoil::json::Node;
use counterfoil::{Address, Digest, Error, Result};

use crate::io::read_json;

/// A subscriber's address and rail.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) payer: Option<Address>,
    pub(crate) rail: Digest,
}

impl Default for Known {
    fn default() -> Self {
        Known { payer: None, rail: Digest::ZERO }
    }
}

/// The file of `--subscribers`.
#[derive(Default)]
pub(crate) struct Subscribers(BTreeMap<String, Known>);

impl Subscribers {
    pub(crate) fn read(path: Option<&Path>) -> Result<Subscribers> {
        let Some(path) = path else { return Ok(Subscribers::default()) };
        let document = read_json(path)?;
        Self::from_node(&document.root()).map_err(|e| e.within(path.display().to_string()))
    }

    fn from_node(root: &Node<'_>) -> Result<Subscribers> {
        let mut known = BTreeMap::new();
        for (name, node) in root.fields()?.iter() {
            let mut fields = node.fields()?;
            let mut one = Known::default();
            if let Some(payer) = fields.optional("payer") {
                let address = payer.text()?.parse();
                one.payer = Some(address.map_err(|e: Error| e.at(payer.pointer()))?);
            }
            if let Some(rail) = fields.optional("rail") {
                one.rail = rail.text()?.parse().map_err(|e: Error| e.at(rail.pointer()))?;
            }
            fields.finish()?;
            known.insert(String::from(name), one);
        }
        Ok(Subscribers(known))
    }

    pub(crate) fn get(&self, name: &str) -> Known {
        self.0.get(name).cloned().unwrap_or_default()
    }
}
