//! `counterfoil backup`

use counterfoil::json::Value;
use counterfoil_journal::copy_backup;

use crate::args;
use crate::exit::{Ended, Failure};
use crate::io::say;

pub(crate) fn run(args: &args::Backup, json: bool) -> Ended {
    copy_backup(&args.ledger, &args.to).map_err(Failure::of_ledger)?;
    let to = args.to.display().to_string();
    if json {
        return Ok(say(&Value::object([("copied", Value::from(to))]).compact())?);
    }
    Ok(say(&format!("copied to {to}"))?)
}
