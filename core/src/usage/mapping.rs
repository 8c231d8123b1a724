//! A host's own events, mapped to meters by a document.

use alloc::{string::String, vec::Vec};

use crate::{
    error::{Code, Error, Result},
    json::{Limits, Node, Value, parse},
    plan::check_name,
    usage::{Basis, Surface, Usage},
};

/// The format that this reader knows.
const FORMAT: &str = "counterfoil/mapping/0";

/// Where the quantities and attributes of a call stand in a host's own events, such as CloudEvents.
///
/// An event that is mapped is read as [`Surface::Plain`]: the document's author says that the meters
/// follow this crate's convention, whole totals with their parts inside.
///
/// ```
/// use counterfoil::{json::{Limits, parse}, usage::Mapping};
///
/// let mapping = Mapping::from_json(br#"{
///   "format": "counterfoil/mapping/0",
///   "meters": {"gpu_ms": "/data/gpu", "images": {"optional": "/data/images"}},
///   "attributes": {"model": "/data/model"}
/// }"#)?;
/// let event = parse(br#"{"specversion": "1.0", "type": "org.example.call", "source": "/gpu/7",
///   "id": "1", "data": {"gpu": 1250, "model": "m"}}"#, &Limits::default())?;
/// let usage = mapping.read(&event)?;
/// assert_eq!((usage.get("gpu_ms"), usage.get("images")), (1250, 0));
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    meters: Vec<Place>,
    attributes: Vec<Place>,
}

/// What stands where.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    name: String,
    pointer: String,
    optional: bool,
}

impl Mapping {
    /// Reads a mapping document: `format`, `meters` and optionally `attributes`, maps from a name to a
    /// JSON Pointer (RFC 6901), or to `{"optional": pointer}`.
    ///
    /// # Errors
    /// `usage_surface` for another format, `text_invalid` for a name that no meter could have or for
    /// what is no pointer, and the reader's `json_*` codes, each with the place in the document.
    pub fn from_json(bytes: &[u8]) -> Result<Mapping> {
        let document = parse(bytes, &Limits::default())?;
        let mut fields = document.root().fields()?;
        let format = fields.required("format")?;
        if format.text()? != FORMAT {
            return Err(format.error(Code::UsageSurface).because("expected counterfoil/mapping/0"));
        }
        let meters = places(fields.required("meters")?)?;
        let attributes = match fields.optional("attributes") {
            Some(node) => places(node)?,
            None => Vec::new(),
        };
        fields.finish()?;
        Ok(Mapping { meters, attributes })
    }

    /// The usage of an event.
    ///
    /// # Errors
    /// `usage_missing` at the pointer at which nothing, or null, stands, unless it is optional; what
    /// [`Usage::set`] and [`Usage::set_attribute`] refuse; `json_type`, `usage_quantity`.
    pub fn read(&self, event: &Value) -> Result<Usage> {
        let mut usage = Usage::new(Surface::Plain, Basis::Reported);
        for place in &self.meters {
            if let Some(node) = place.find(event)? {
                usage.set(&place.name, node.quantity()?).map_err(|e| e.at(&place.pointer))?;
            }
        }
        for place in &self.attributes {
            if let Some(node) = place.find(event)? {
                usage.set_attribute(&place.name, node.text()?).map_err(|e| e.at(&place.pointer))?;
            }
        }
        Ok(usage)
    }
}

impl Place {
    fn find<'a>(&self, event: &'a Value) -> Result<Option<Node<'a>>> {
        let found = event.root().at(&self.pointer).filter(|node| *node.value() != Value::Null);
        if found.is_none() && !self.optional {
            return Err(Error::new(Code::UsageMissing).at(&self.pointer).value(&self.name));
        }
        Ok(found)
    }
}

fn places(node: Node<'_>) -> Result<Vec<Place>> {
    let mut places = Vec::new();
    for (name, node) in node.fields()?.iter() {
        check_name(name).map_err(|e| e.at(node.pointer()))?;
        let (pointer, optional) = match node.value() {
            Value::Object(_) => {
                let mut fields = node.fields()?;
                let pointer = fields.required("optional")?;
                fields.finish()?;
                (pointer, true)
            }
            _ => (node, false),
        };
        let text = pointer.text()?;
        if !is_pointer(text) {
            return Err(pointer.error(Code::TextInvalid).because("expected a JSON Pointer"));
        }
        places.push(Place { name: String::from(name), pointer: String::from(text), optional });
    }
    Ok(places)
}

/// RFC 6901: empty, or steps that each begin with `/`, in which `~` stands before `0` or `1`.
fn is_pointer(text: &str) -> bool {
    let steps = text.is_empty() || text.starts_with('/');
    steps && text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']))
}
