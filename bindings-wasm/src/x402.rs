//! The settlement side of x402: channels, vouchers, claims.

use counterfoil::{
    Digest,
    x402::{self, ChannelConfig, ClaimRow, PayerCheck as Ask, Voucher, VoucherCheck},
};
use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use crate::{
    error::Thrown,
    input::{self, Members},
    output::{Record, bytes},
};

/// A deployment of the settlement contract.
#[wasm_bindgen]
pub struct Contract(x402::Contract);

#[wasm_bindgen]
impl Contract {
    /// The deployed contract on the network of this chain id.
    pub fn deployed(
        #[wasm_bindgen(js_name = chainId, unchecked_param_type = "bigint | number")]
        chain_id: JsValue,
    ) -> Result<Contract, Thrown> {
        Ok(Contract(x402::Contract::deployed(input::count(&chain_id)?)))
    }

    /// The contract's address.
    #[wasm_bindgen(getter, unchecked_return_type = "Hex")]
    pub fn address(&self) -> String {
        self.0.address().to_string()
    }

    /// The id by which the contract knows a channel.
    #[wasm_bindgen(js_name = channelId, unchecked_return_type = "Hex")]
    pub fn channel_id(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Channel")] channel: JsValue,
    ) -> Result<String, Thrown> {
        Ok(read_channel(&channel)?.channel_id(&self.0).to_string())
    }

    /// The digest that a payer signs.
    #[wasm_bindgen(js_name = voucherDigest, unchecked_return_type = "Hex")]
    pub fn voucher_digest(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Channel")] channel: JsValue,
        #[wasm_bindgen(js_name = maxClaimable, unchecked_param_type = "bigint")]
        max_claimable: JsValue,
    ) -> Result<String, Thrown> {
        let id = read_channel(&channel)?.channel_id(&self.0);
        let most = input::amount(&max_claimable)?.atomic();
        Ok(self.0.voucher_digest(&id, most).to_string())
    }

    /// Verifies a voucher as the contract would: verified, or a question for the payer's account.
    #[wasm_bindgen(js_name = verifyVoucher, unchecked_return_type = "VoucherCheck")]
    pub fn verify_voucher(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Voucher")] voucher: JsValue,
    ) -> Result<JsValue, Thrown> {
        let mut members = Members::of(&voucher)?;
        let voucher = read_voucher(&mut members)?;
        members.finish()?;
        Ok(match voucher.verify(&self.0)? {
            VoucherCheck::Verified(voucher) => {
                Record::of("verified").set("voucher", VerifiedVoucher(voucher))
            }
            VoucherCheck::AskPayer(check) => {
                Record::of("ask_payer").set("check", PayerCheck(check))
            }
        }
        .into())
    }

    /// The digest that a receiver authorizer signs so that anyone may submit these rows.
    #[wasm_bindgen(js_name = claimDigest, unchecked_return_type = "Hex")]
    pub fn claim_digest(
        &self,
        #[wasm_bindgen(unchecked_param_type = "readonly ClaimRow[]")] rows: JsValue,
    ) -> Result<String, Thrown> {
        Ok(x402::claim_batch_digest(&self.0, &input::list(&rows, read_row)?).to_string())
    }
}

/// Calldata of `claim`, sent by the receiver or its authorizer.
#[wasm_bindgen(js_name = claimCalldata)]
pub fn claim_calldata(
    #[wasm_bindgen(unchecked_param_type = "readonly ClaimRow[]")] rows: JsValue,
) -> Result<Uint8Array, Thrown> {
    Ok(bytes(&x402::claim_calldata(&input::list(&rows, read_row)?)))
}

/// Calldata of `claimWithSignature`, sent by anyone.
#[wasm_bindgen(js_name = claimWithSignatureCalldata)]
pub fn claim_with_signature_calldata(
    #[wasm_bindgen(unchecked_param_type = "readonly ClaimRow[]")] rows: JsValue,
    #[wasm_bindgen(unchecked_param_type = "Hex")] authorizer: JsValue,
) -> Result<Uint8Array, Thrown> {
    let rows = input::list(&rows, read_row)?;
    Ok(bytes(&x402::claim_with_signature_calldata(&rows, &input::parsed(&authorizer)?)))
}

/// Calldata of `settle`: moves what was claimed for this receiver in this token.
#[wasm_bindgen(js_name = settleCalldata)]
pub fn settle_calldata(
    #[wasm_bindgen(unchecked_param_type = "Hex")] receiver: JsValue,
    #[wasm_bindgen(unchecked_param_type = "Hex")] token: JsValue,
) -> Result<Uint8Array, Thrown> {
    Ok(bytes(&x402::settle_calldata(input::parsed(&receiver)?, input::parsed(&token)?)))
}

/// A voucher whose signature holds. It says nothing of the channel's balance.
#[wasm_bindgen]
pub struct VerifiedVoucher(x402::VerifiedVoucher);

#[wasm_bindgen]
impl VerifiedVoucher {
    /// The channel's id.
    #[wasm_bindgen(getter, js_name = channelId, unchecked_return_type = "Hex")]
    pub fn channel_id(&self) -> String {
        self.0.channel_id().to_string()
    }

    /// The digest that was signed.
    #[wasm_bindgen(getter, unchecked_return_type = "Hex")]
    pub fn digest(&self) -> String {
        self.0.digest().to_string()
    }

    /// The most that may be claimed on the channel over its life.
    #[wasm_bindgen(getter, js_name = maxClaimable)]
    pub fn max_claimable(&self) -> u128 {
        self.0.voucher().max_claimable
    }
}

/// A question for the chain: does the payer's account accept this signature (EIP-1271)?
#[wasm_bindgen]
pub struct PayerCheck(Ask);

#[wasm_bindgen]
impl PayerCheck {
    /// The account to ask.
    #[wasm_bindgen(getter, unchecked_return_type = "Hex")]
    pub fn account(&self) -> String {
        self.0.account().to_string()
    }

    /// The digest to ask about.
    #[wasm_bindgen(getter, unchecked_return_type = "Hex")]
    pub fn digest(&self) -> String {
        self.0.digest().to_string()
    }

    /// The signature to ask about.
    #[wasm_bindgen(getter, unchecked_return_type = "Hex")]
    pub fn signature(&self) -> String {
        self.0.signature().to_string()
    }

    /// Takes the chain's answer. The question is used up.
    pub fn answer(
        self,
        #[wasm_bindgen(unchecked_param_type = "boolean")] accepted: JsValue,
    ) -> Result<VerifiedVoucher, Thrown> {
        Ok(VerifiedVoucher(self.0.answer(input::flag(&accepted)?)?))
    }
}

fn read_channel(value: &JsValue) -> Result<ChannelConfig, Thrown> {
    let mut members = Members::of(value)?;
    let channel = ChannelConfig {
        payer: members.required("payer", input::parsed)?,
        payer_authorizer: members.required("payerAuthorizer", input::parsed)?,
        receiver: members.required("receiver", input::parsed)?,
        receiver_authorizer: members.required("receiverAuthorizer", input::parsed)?,
        token: members.required("token", input::parsed)?,
        withdraw_delay: members.required("withdrawDelay", input::count)?,
        salt: *members.required("salt", input::parsed::<Digest>)?.bytes(),
    };
    members.finish()?;
    Ok(channel)
}

fn read_voucher(members: &mut Members<'_>) -> Result<Voucher, Thrown> {
    Ok(Voucher {
        channel: members.required("channel", read_channel)?,
        max_claimable: members.required("maxClaimable", input::amount)?.atomic(),
        signature: members.required("signature", input::parsed)?,
    })
}

fn read_row(value: &JsValue) -> Result<ClaimRow, Thrown> {
    let mut members = Members::of(value)?;
    let row = ClaimRow {
        voucher: read_voucher(&mut members)?,
        total_claimed: members.required("totalClaimed", input::amount)?.atomic(),
    };
    members.finish()?;
    Ok(row)
}
