//! What a host asks of a meter.

use counterfoil::{
    Code, Error,
    entry::{Collected, ImportMark, ReleaseReason},
    meter,
};
use wasm_bindgen::prelude::*;

use crate::{
    error::Thrown,
    input::{self, Members},
    plan::Plan,
    receipt::Receipt,
    usage::usage,
};

/// A request to change a meter's state. It is read in full before a meter sees it, so that no code of
/// the host runs while the meter decides.
#[wasm_bindgen]
pub struct Command(pub(crate) meter::Command);

#[wasm_bindgen]
impl Command {
    /// Begins the meter, or begins it anew after a backup was restored.
    pub fn begin(
        #[wasm_bindgen(unchecked_param_type = "Begin")] begin: JsValue,
    ) -> Result<Command, Thrown> {
        let mut members = Members::of(&begin)?;
        let command = meter::Command::Begin {
            origin: members.required("origin", input::text)?,
            signer: members.required("signer", input::parsed)?,
        };
        members.finish()?;
        Ok(Command(command))
    }

    /// Makes a plan known.
    #[wasm_bindgen(js_name = addPlan)]
    pub fn add_plan(plan: &Plan) -> Command {
        Command(meter::Command::AddPlan(Box::new(plan.0.clone())))
    }

    /// Binds a payer to a plan, or opens the next lane of a subscription after a restore.
    pub fn subscribe(
        #[wasm_bindgen(unchecked_param_type = "Subscribe")] subscribe: JsValue,
    ) -> Result<Command, Thrown> {
        let mut members = Members::of(&subscribe)?;
        let command = meter::Command::Subscribe(meter::Subscribe {
            plan: members.required("plan", input::parsed)?,
            payer: members.optional("payer", input::parsed)?,
            account: members.optional("account", input::text)?,
            started_at: members.required("startedAt", input::instant)?,
            rail: members.digest_or_zero("rail")?,
        });
        members.finish()?;
        Ok(Command(command))
    }

    /// Asks for a hold before a call.
    pub fn authorize(
        #[wasm_bindgen(unchecked_param_type = "Authorize")] request: JsValue,
    ) -> Result<Command, Thrown> {
        let mut members = Members::of(&request)?;
        let command = meter::Command::Authorize(meter::Request {
            subscription: members.required("subscription", input::parsed)?,
            id: members.required("id", input::text)?,
            created_at: members.optional("createdAt", input::instant)?,
            content: members.digest_or_zero("content")?,
            retry: members.optional("retry", input::flag)?.unwrap_or_default(),
            most: members.required("most", usage)?,
        });
        members.finish()?;
        Ok(Command(command))
    }

    /// Charges what the call really used.
    pub fn settle(
        #[wasm_bindgen(unchecked_param_type = "Settle")] settle: JsValue,
    ) -> Result<Command, Thrown> {
        Ok(Command(meter::Command::Settle(used(&settle)?)))
    }

    /// Charges what a running call has used so far; its hold goes on for the rest.
    #[wasm_bindgen(js_name = settlePart)]
    pub fn settle_part(
        #[wasm_bindgen(unchecked_param_type = "Settle")] settle: JsValue,
    ) -> Result<Command, Thrown> {
        Ok(Command(meter::Command::SettlePart(used(&settle)?)))
    }

    /// Charges a call that ended and of which nobody knows what it used, as its plan says.
    #[wasm_bindgen(js_name = settleUnfinished)]
    pub fn settle_unfinished(
        #[wasm_bindgen(unchecked_param_type = "SettleUnfinished")] settle: JsValue,
    ) -> Result<Command, Thrown> {
        let mut members = Members::of(&settle)?;
        let command = meter::Command::SettleUnfinished {
            subscription: members.required("subscription", input::parsed)?,
            id: members.required("id", input::text)?,
        };
        members.finish()?;
        Ok(Command(command))
    }

    /// Lets a hold reserve for longer, and for more, while it still reserves.
    pub fn extend(
        #[wasm_bindgen(unchecked_param_type = "Extend")] extend: JsValue,
    ) -> Result<Command, Thrown> {
        let mut members = Members::of(&extend)?;
        let command = meter::Command::Extend {
            subscription: members.required("subscription", input::parsed)?,
            id: members.required("id", input::text)?,
            most: members.optional("most", usage)?,
        };
        members.finish()?;
        Ok(Command(command))
    }

    /// Ends a hold without a charge, or marks its outcome unknown.
    pub fn release(
        #[wasm_bindgen(unchecked_param_type = "Release")] release: JsValue,
    ) -> Result<Command, Thrown> {
        let mut members = Members::of(&release)?;
        let command = meter::Command::Release {
            subscription: members.required("subscription", input::parsed)?,
            id: members.required("id", input::text)?,
            reason: members.required("reason", reason)?,
        };
        members.finish()?;
        Ok(Command(command))
    }

    /// Meters one record of a finished call.
    #[wasm_bindgen(js_name = import)]
    pub fn import_record(
        #[wasm_bindgen(unchecked_param_type = "Import")] import: JsValue,
    ) -> Result<Command, Thrown> {
        let mut members = Members::of(&import)?;
        let command = meter::Command::Import(meter::Import {
            subscription: members.required("subscription", input::parsed)?,
            at: members.required("at", input::instant)?,
            usage: members.required("usage", usage)?,
            content: members.digest_or_zero("content")?,
            mark: ImportMark {
                input: members.required("input", input::parsed)?,
                ordinal: members.required("ordinal", input::count)?,
                offset: members.required("offset", input::count)?,
                digest: members.required("digest", input::parsed)?,
            },
        });
        members.finish()?;
        Ok(Command(command))
    }

    /// Does the first thing that is due: an expired hold, a closing window, a checkpoint.
    pub fn due() -> Command {
        Command(meter::Command::Due)
    }

    /// Fixes the log's state now, if it grew since the last checkpoint.
    pub fn checkpoint() -> Command {
        Command(meter::Command::Checkpoint)
    }

    /// Records money that arrived for a lane.
    pub fn collect(
        #[wasm_bindgen(unchecked_param_type = "Collect")] collect: JsValue,
    ) -> Result<Command, Thrown> {
        let mut members = Members::of(&collect)?;
        let command = meter::Command::Collect(Collected {
            lane: members.required("lane", input::parsed)?,
            amount: members.required("amount", input::amount)?,
            fee: members.optional("fee", input::amount)?.unwrap_or_default(),
            reference: members.required("reference", input::text)?,
            at: members.required("at", input::instant)?,
        });
        members.finish()?;
        Ok(Command(command))
    }

    /// Gives a subscription a grant.
    pub fn grant(
        #[wasm_bindgen(unchecked_param_type = "Grant")] grant: JsValue,
    ) -> Result<Command, Thrown> {
        let mut members = Members::of(&grant)?;
        let command = meter::Command::Grant {
            subscription: members.required("subscription", input::parsed)?,
            terms: members.required("terms", input::text)?,
        };
        members.finish()?;
        Ok(Command(command))
    }

    /// Ends a subscription at once or with its term, as its plan says.
    pub fn cancel(
        #[wasm_bindgen(unchecked_param_type = "Cancel")] cancel: JsValue,
    ) -> Result<Command, Thrown> {
        let mut members = Members::of(&cancel)?;
        let subscription = members.required("subscription", input::parsed)?;
        members.finish()?;
        Ok(Command(meter::Command::Cancel { subscription }))
    }

    /// Ends a subscription now, and opens one of the same payer to another plan, in one entry.
    #[wasm_bindgen(js_name = switch)]
    pub fn switch_plan(
        #[wasm_bindgen(unchecked_param_type = "Switch")] switch: JsValue,
    ) -> Result<Command, Thrown> {
        let mut members = Members::of(&switch)?;
        let command = meter::Command::Switch {
            subscription: members.required("subscription", input::parsed)?,
            plan: members.required("plan", input::parsed)?,
        };
        members.finish()?;
        Ok(Command(command))
    }

    /// Takes back what is left of a grant.
    #[wasm_bindgen(js_name = void)]
    pub fn void_grant(
        #[wasm_bindgen(unchecked_param_type = "Void")] taken: JsValue,
    ) -> Result<Command, Thrown> {
        let mut members = Members::of(&taken)?;
        let command = meter::Command::Void {
            subscription: members.required("subscription", input::parsed)?,
            grant: members.required("grant", input::text)?,
        };
        members.finish()?;
        Ok(Command(command))
    }

    /// Shows the meter evidence that the plan's condition asks for.
    pub fn present(
        #[wasm_bindgen(unchecked_param_type = "Present")] shown: JsValue,
    ) -> Result<Command, Thrown> {
        let mut members = Members::of(&shown)?;
        let command = meter::Command::Present {
            subscription: members.required("subscription", input::parsed)?,
            evidence: members.required("evidence", input::text)?,
        };
        members.finish()?;
        Ok(Command(command))
    }

    /// Gives back what a receipt cost, in part or whole.
    pub fn credit(
        receipt: &Receipt,
        #[wasm_bindgen(unchecked_param_type = "Credit")] credit: JsValue,
    ) -> Result<Command, Thrown> {
        let mut members = Members::of(&credit)?;
        let command = meter::Command::Credit(Box::new(meter::Credit {
            subscription: members.required("subscription", input::parsed)?,
            id: members.required("id", input::text)?,
            receipt: receipt.0.clone(),
            amount: members.optional("amount", input::parsed)?,
            reason: members.required("reason", input::text)?,
        }));
        members.finish()?;
        Ok(Command(command))
    }

    /// Lends a share of a subscription to another meter.
    pub fn lease(
        #[wasm_bindgen(unchecked_param_type = "LeaseRequest")] request: JsValue,
    ) -> Result<Command, Thrown> {
        let mut members = Members::of(&request)?;
        let command = meter::Command::Lease(meter::LeaseRequest {
            subscription: members.required("subscription", input::parsed)?,
            holder: members.required("holder", input::text)?,
            until: members.required("until", input::instant)?,
            units: members.required("units", |units| input::map(units, input::quantity))?,
            limits: members
                .optional("limits", |limits| input::map(limits, input::quantity))?
                .unwrap_or_default(),
            attributes: members
                .optional("attributes", |attributes| input::map(attributes, input::text))?
                .unwrap_or_default(),
        });
        members.finish()?;
        Ok(Command(command))
    }

    /// Opens a lane under a lease that another meter made for this one.
    pub fn accept(
        #[wasm_bindgen(unchecked_param_type = "Accept")] accept: JsValue,
    ) -> Result<Command, Thrown> {
        let mut members = Members::of(&accept)?;
        let command = meter::Command::Accept {
            lease: members.required("lease", input::bytes)?,
            signature: members.required("signature", input::parsed)?,
            rail: members.digest_or_zero("rail")?,
        };
        members.finish()?;
        Ok(Command(command))
    }

    /// Says what the calls under a lease used so far.
    pub fn statement(
        #[wasm_bindgen(unchecked_param_type = "StatementRequest")] request: JsValue,
    ) -> Result<Command, Thrown> {
        let mut members = Members::of(&request)?;
        let command = meter::Command::Statement {
            lease: members.required("lease", input::parsed)?,
            closing: members.required("closing", input::flag)?,
        };
        members.finish()?;
        Ok(Command(command))
    }

    /// Takes note of what the holder of a lease says.
    pub fn absorb(
        #[wasm_bindgen(unchecked_param_type = "Absorb")] absorb: JsValue,
    ) -> Result<Command, Thrown> {
        let mut members = Members::of(&absorb)?;
        let command = meter::Command::Absorb {
            statement: members.required("statement", input::bytes)?,
            signature: members.required("signature", input::parsed)?,
        };
        members.finish()?;
        Ok(Command(command))
    }
}

fn used(settle: &JsValue) -> Result<meter::Settle, Thrown> {
    let mut members = Members::of(settle)?;
    let settle = meter::Settle {
        subscription: members.required("subscription", input::parsed)?,
        id: members.required("id", input::text)?,
        usage: members.required("usage", usage)?,
        content: members.digest_or_zero("content")?,
    };
    members.finish()?;
    Ok(settle)
}

fn reason(value: &JsValue) -> Result<ReleaseReason, Thrown> {
    let name = input::text(value)?;
    match name.as_str() {
        "released" => Ok(ReleaseReason::Released),
        "unknown" => Ok(ReleaseReason::Unknown),
        _ => Err(Error::new(Code::JsonType).value(name).because("released or unknown").into()),
    }
}
