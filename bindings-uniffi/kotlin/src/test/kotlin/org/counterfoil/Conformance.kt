package org.counterfoil

import com.google.gson.JsonElement
import com.google.gson.JsonObject
import java.nio.ByteBuffer
import java.security.MessageDigest

/** A journal that works, fails, or leaves in doubt. */
private class Scripted : Journal {
    val entries = mutableListOf<ByteArray>()
    var mode = "works"
    var doubtful: ByteArray? = null

    override fun append(entry: ByteArray) {
        when (mode) {
            "fails" -> throw java.io.IOException("the disk is full")
            "doubt" -> {
                doubtful = entry
                throw InDoubt("the disk did not answer")
            }
            else -> entries.add(entry)
        }
    }
}

/** What a vector calls a meter. */
private class Host(saltKey: ByteArray, entries: List<ByteArray> = listOf()) {
    val journal = Scripted().also { it.entries.addAll(entries) }
    val meter = Meter(journal, saltKey).also { entries.forEach(it::replay) }
}

/** The objects of one vector by name, and one arm per operation of `spec/surface.json`. */
class Script {
    private val objects = HashMap<String, Any>()
    private val outs = JsonObject()
    private var made: Any? = null

    fun run(step: JsonObject): JsonElement {
        Given(step).known("op", "in", "as", "out", "error")
        made = null
        val out = try {
            arm(Given(step).text("op"), Given(resolved(step["in"], outs).asJsonObject))
        } catch (wrong: IllegalStateException) {
            throw Broken("$wrong")
        }
        Given(step).maybe("as")?.let { name ->
            outs.add(name, out)
            made?.let { objects[name] = it }
        }
        return out
    }

    private inline fun <reified T> get(given: Given, name: String): T =
        objects[given.text(name)] as? T ?: throw Broken("no such `$name`")

    private fun meter(given: Given): Meter {
        val host: Host = get(given, "meter")
        host.journal.mode = given.maybe("journal") ?: "works"
        return host.meter
    }

    /** Remembers what a later step may refer to. */
    private fun keep(done: Outcome): Outcome {
        if (done is Outcome.Receipt) made = done.value.receipt
        if (done is Outcome.Checkpointed) made = done.value.checkpoint
        return done
    }

    private fun arm(op: String, given: Given): JsonElement = when (op) {
        "money.round" -> {
            given.known("rounding", "exact", "carried")
            val rounding = Rounding.valueOf(given.text("rounding").uppercase())
            val billed = bill(rounding, given.text("exact"), given.whole("carried"))
            json("amount" to billed.amount, "remainder" to billed.remainder)
        }
        "usage.read" -> {
            given.known("surface", "body")
            val usage = readUsage(given.text("surface"), given.text("body"))
            json("meters" to usage.meters, "attributes" to usage.attributes)
        }
        "usage.map" -> {
            given.known("mapping", "event")
            val usage = mapUsage(given.text("mapping"), given.text("event"))
            json("meters" to usage.meters, "attributes" to usage.attributes)
        }
        "usage.stream" -> {
            given.known("surface", "events")
            val stream = UsageStream(given.text("surface"))
            given.texts("events").forEach { stream.feed(it) }
            val usage = stream.usage()
            json(
                "complete" to stream.isComplete(),
                "basis" to usage.basis,
                "meters" to usage.meters,
                "attributes" to usage.attributes,
            )
        }
        "plan.load" -> {
            given.known("text")
            val plan = Plan.fromJson(given.text("text")).also { made = it }
            json(
                "id" to plan.id(),
                "name" to plan.name(),
                "authority" to plan.authority(),
                "currency" to plan.currency().id,
                "decimals" to plan.currency().decimals,
            )
        }
        "plan.quote" -> {
            given.known("plan", "usage", "at")
            val plan = get<Plan>(given, "plan")
            val quote = plan.quote(given.usage("usage"), given.instant("at"))
            val lines = quote.lines.map {
                json(
                    "charge" to it.charge,
                    "meter" to it.meter,
                    "units" to it.units,
                    "amount" to it.amount,
                )
            }
            json("first" to quote.first, "ceiling" to quote.ceiling, "lines" to lines)
        }
        "key.load" -> {
            given.known("secret")
            val key = LocalKey(given.bytes("secret")).also { made = it }
            json("address" to key.address())
        }
        "key.sign" -> {
            given.known("key", "digest")
            json("signature" to get<LocalKey>(given, "key").sign(given.text("digest")))
        }
        "meter.new" -> {
            given.known("saltKey")
            made = Host(given.bytes("saltKey"))
            json()
        }
        "meter.begin" -> {
            given.known("meter", "origin", "signer", "now", "journal")
            meter(given).begin(given.text("origin"), given.text("signer"), given.instant("now"))
            json()
        }
        "meter.addPlan" -> {
            given.known("meter", "plan", "now", "journal")
            meter(given).addPlan(get(given, "plan"), given.instant("now"))
            json()
        }
        "meter.subscribe" -> {
            given.known(
                "meter", "plan", "payer", "account", "startedAt", "rail", "now", "journal",
            )
            opened(
                meter(given).subscribe(
                    given.text("plan"),
                    payer = given.maybe("payer"),
                    account = given.maybe("account"),
                    startedAt = given.instant("startedAt"),
                    rail = given.maybe("rail"),
                    now = given.instant("now"),
                ),
            )
        }
        "meter.authorize" -> {
            given.known(
                "meter", "subscription", "id", "createdAt", "content", "retry", "most", "now", "journal",
            )
            val answer = meter(given).authorize(
                given.text("subscription"),
                given.text("id"),
                given.usage("most"),
                createdAt = given.instantOrNull("createdAt"),
                content = given.maybe("content"),
                retry = given.isOn("retry"),
                now = given.instant("now"),
            )
            when (answer) {
                is Denied -> denied(answer.denial)
                is Replayed -> replayed(answer.replay)
                is Hold -> json(
                    "authorized" to json(
                        "subject" to answer.subject,
                        "lane" to answer.lane,
                        "deadline" to answer.deadline,
                        "reserved" to answer.reserved,
                    ),
                )
            }
        }
        "meter.settle" -> {
            given.known("meter", "subscription", "id", "usage", "content", "now", "journal")
            val done = meter(given).settle(
                given.text("subscription"),
                given.text("id"),
                given.usage("usage"),
                content = given.maybe("content"),
                now = given.instant("now"),
            )
            outcome(keep(done))
        }
        "meter.settlePart" -> {
            given.known("meter", "subscription", "id", "usage", "content", "now", "journal")
            val done = meter(given).settlePart(
                given.text("subscription"),
                given.text("id"),
                given.usage("usage"),
                content = given.maybe("content"),
                now = given.instant("now"),
            )
            outcome(keep(done))
        }
        "meter.settleUnfinished" -> {
            given.known("meter", "subscription", "id", "now", "journal")
            val done = meter(given).settleUnfinished(
                given.text("subscription"), given.text("id"), given.instant("now"),
            )
            outcome(keep(done))
        }
        "meter.extend" -> {
            given.known("meter", "subscription", "id", "most", "now", "journal")
            val done = meter(given).extend(
                given.text("subscription"),
                given.text("id"),
                most = if (given.has("most")) given.usage("most") else null,
                now = given.instant("now"),
            )
            outcome(done)
        }
        "meter.holds" -> {
            given.known("meter", "subscription")
            val holds = meter(given).holds(given.text("subscription"))
                ?: throw absent("subscription_unknown")
            val found = holds.map {
                json(
                    "subject" to it.subject,
                    "state" to it.state,
                    "authorizedAt" to it.authorizedAt,
                    "deadline" to it.deadline,
                    "parts" to it.parts,
                    "charged" to it.charged,
                )
            }
            json("holds" to found)
        }
        "meter.leases" -> {
            given.known("meter", "subscription")
            val leases = meter(given).leases(given.text("subscription"))
                ?: throw absent("subscription_unknown")
            val found = leases.map { lease ->
                json(
                    "lease" to lease.lease,
                    "holder" to lease.holder,
                    "at" to lease.at,
                    "until" to lease.until,
                    "reclaimedAt" to lease.reclaimedAt,
                    "charges" to lease.charges.map {
                        json(
                            "charge" to it.charge,
                            "counter" to it.counter,
                            "units" to it.units,
                            "used" to it.used,
                        )
                    },
                    "limits" to lease.limits.map { json("limit" to it.limit, "most" to it.most) },
                    "stated" to lease.stated?.let {
                        json(
                            "sequence" to it.sequence,
                            "cumulative" to it.cumulative,
                            "at" to it.at,
                        )
                    },
                )
            }
            json("leases" to found)
        }
        "meter.release" -> {
            given.known("meter", "subscription", "id", "reason", "now", "journal")
            val unknown = when (given.text("reason")) {
                "unknown" -> true
                "released" -> false
                else -> throw Broken("no reason")
            }
            val released = meter(given).release(
                given.text("subscription"), given.text("id"), unknown, given.instant("now"),
            )
            json("subject" to released.subject)
        }
        "meter.import" -> {
            given.known(
                "meter", "subscription", "at", "usage", "content", "input", "ordinal", "offset",
                "digest", "journal",
            )
            val mark = Mark(
                given.text("input"), given.whole("ordinal"), given.whole("offset"),
                given.text("digest"),
            )
            val done = meter(given).importRecord(
                given.text("subscription"),
                given.usage("usage"),
                mark,
                at = given.instant("at"),
                content = given.maybe("content"),
            )
            outcome(keep(done))
        }
        "meter.due" -> {
            given.known("meter", "now", "journal")
            outcome(keep(meter(given).due(given.instant("now"))))
        }
        "meter.checkpoint" -> {
            given.known("meter", "journal")
            val done = meter(given).checkpoint()
            made = done?.checkpoint
            if (done == null) json("nothing" to json()) else checkpoint(done)
        }
        "meter.collect" -> {
            given.known("meter", "lane", "amount", "fee", "reference", "at", "journal")
            meter(given).collect(
                given.text("lane"),
                given.big("amount"),
                given.text("reference"),
                fee = given.big("fee"),
                at = given.instant("at"),
            )
            json()
        }
        "meter.grant" -> {
            given.known("meter", "subscription", "terms", "now", "journal")
            meter(given).grant(given.text("subscription"), given.text("terms"), given.instant("now"))
            json()
        }
        "meter.void" -> {
            given.known("meter", "subscription", "grant", "now", "journal")
            val at = given.instant("now")
            json("refund" to meter(given).void(given.text("subscription"), given.text("grant"), at).refund)
        }
        "meter.cancel" -> {
            given.known("meter", "subscription", "now", "journal")
            val done = meter(given).cancel(given.text("subscription"), given.instant("now"))
            json("endsAt" to done.endsAt)
        }
        "meter.switch" -> {
            given.known("meter", "subscription", "plan", "now", "journal")
            opened(
                meter(given).switch(
                    given.text("subscription"), given.text("plan"), given.instant("now"),
                ),
            )
        }
        "meter.present" -> {
            given.known("meter", "subscription", "evidence", "now", "journal")
            val evidence = given.text("evidence")
            meter(given).present(given.text("subscription"), evidence, given.instant("now"))
            json()
        }
        "evidence.sign" -> {
            given.known("key", "payer", "seller", "statement", "issuedAt", "expiresAt", "attestor")
            val key = get<LocalKey>(given, "key")
            val evidence = Evidence(
                payer = given.text("payer"),
                seller = given.text("seller"),
                statement = given.text("statement"),
                issuedAt = given.instant("issuedAt"),
                expiresAt = given.instant("expiresAt"),
            )
            val digest = evidenceDigest(evidence)
            val attestor = given.maybe("attestor") ?: key.address()
            val signed = VerifiedEvidence.verify(evidence, attestor, key.sign(digest))
            json(
                "digest" to digest,
                "typedData" to evidenceTypedData(evidence),
                "json" to signed.toJson(),
            )
        }
        "evidence.read" -> {
            given.known("text")
            val read = VerifiedEvidence.fromJson(given.text("text"))
            val stated = read.evidence()
            json(
                "digest" to read.digest(),
                "attestor" to read.attestor(),
                "payer" to stated.payer,
                "seller" to stated.seller,
                "statement" to stated.statement,
                "issuedAt" to stated.issuedAt,
                "expiresAt" to stated.expiresAt,
            )
        }
        "meter.credit" -> {
            given.known("meter", "subscription", "id", "json", "amount", "reason", "now", "journal")
            val done = meter(given).credit(
                given.text("subscription"),
                given.text("id"),
                Receipt.fromJson(given.text("json")),
                given.text("reason"),
                amount = given.maybe("amount"),
                now = given.instant("now"),
            )
            outcome(keep(done))
        }
        "meter.lease" -> {
            given.known(
                "meter", "subscription", "holder", "until", "units", "limits", "attributes", "now",
                "journal",
            )
            val request = LeaseRequest(
                subscription = given.text("subscription"),
                holder = given.text("holder"),
                until = given.instant("until"),
                units = given.wholes("units"),
                limits = given.wholes("limits"),
                attributes = given.textMap("attributes"),
            )
            outcome(meter(given).lease(request, given.instant("now")))
        }
        "meter.accept" -> {
            given.known("meter", "lease", "signature", "rail", "now", "journal")
            val opened = meter(given).accept(
                given.bytes("lease"),
                given.text("signature"),
                given.maybe("rail"),
                given.instant("now"),
            )
            opened(opened)
        }
        "meter.statement" -> {
            given.known("meter", "lease", "closing", "now", "journal")
            val stated = meter(given)
                .statement(given.text("lease"), given.flag("closing"), given.instant("now"))
            json("statement" to hex(stated.statement), "sign" to sign(stated.sign))
        }
        "meter.absorb" -> {
            given.known("meter", "statement", "signature", "now", "journal")
            meter(given)
                .absorb(given.bytes("statement"), given.text("signature"), given.instant("now"))
            json()
        }
        "meter.recover" -> {
            given.known("meter", "written")
            val host: Host = get(given, "meter")
            val doubtful = host.journal.doubtful
            if (given.flag("written") && doubtful != null) host.journal.entries.add(doubtful)
            host.journal.doubtful = null
            host.meter.recover(host.journal.entries.size.toLong())
            json("entries" to host.meter.entries)
        }
        "meter.entries" -> {
            given.known("meter")
            val entries = get<Host>(given, "meter").journal.entries
            val hash = MessageDigest.getInstance("SHA-256")
            for (entry in entries) {
                hash.update(ByteBuffer.allocate(4).putInt(entry.size).array())
                hash.update(entry)
            }
            json("count" to entries.size, "sha256" to hex(hash.digest()))
        }
        "meter.replay" -> {
            given.known("meter", "saltKey")
            replayed(given, get<Host>(given, "meter").journal.entries.size)
        }
        "meter.restore" -> {
            given.known("meter", "saltKey", "entries")
            replayed(given, given.whole("entries").toInt())
        }
        "meter.lane" -> {
            given.known("meter", "lane")
            val lane = meter(given).lane(given.text("lane")) ?: throw absent("entry_misplaced")
            json(
                "number" to lane.number,
                "sequence" to lane.sequence,
                "head" to lane.head,
                "cumulative" to lane.cumulative,
                "credited" to lane.credited,
                "collected" to lane.collected,
                "fee" to lane.fee,
            )
        }
        "meter.subscription" -> {
            given.known("meter", "subscription")
            val view = meter(given).subscription(given.text("subscription"))
                ?: throw absent("subscription_unknown")
            val counters = view.counters.map {
                json(
                    "charge" to it.charge,
                    "start" to it.window.start,
                    "end" to it.window.end,
                    "units" to it.units,
                    "billed" to it.billed,
                )
            }
            val grants = view.grants.map {
                json(
                    "grant" to it.grant,
                    "kind" to it.kind,
                    "meter" to it.meter,
                    "givenAt" to it.givenAt,
                    "expiresAt" to it.expiresAt,
                    "balance" to it.balance,
                    "reserved" to it.reserved,
                )
            }
            json(
                "lane" to view.lane,
                "denied" to view.denied,
                "holds" to view.holds,
                "endsAt" to view.endsAt,
                "reserved" to view.reserved,
                "counters" to counters,
                "grants" to grants,
            )
        }
        "receipt.header" -> {
            given.known("receipt", "key")
            json("header" to signed(given).toHeader())
        }
        "receipt.json" -> {
            given.known("receipt", "key")
            json("json" to signed(given).toJson())
        }
        "receipt.verify" -> {
            given.known("header", "json", "signer", "change")
            val (header, document) = changed(given, "header") to changed(given, "json")
            if ((header == null) == (document == null)) throw Broken("give `header` or `json`")
            val read = header?.let(Receipt::fromHeader) ?: Receipt.fromJson(document!!)
            val verified = read.verify(given.text("signer")).also { made = it }
            val head = verified.head()
            json(
                "digest" to verified.digest(),
                "sequence" to head.sequence,
                "charge" to head.charge,
                "cumulative" to head.cumulative,
                "hasBody" to (verified.items() != null),
            )
        }
        "receipt.follows" -> {
            given.known("receipt", "previous")
            get<VerifiedReceipt>(given, "receipt").follows(get(given, "previous"))
            json()
        }
        "checkpoint.verify" -> {
            given.known("checkpoint", "key", "signer")
            val checkpoint: Checkpoint = get(given, "checkpoint")
            val signature = get<LocalKey>(given, "key").sign(checkpointDigest(checkpoint))
            val verified = VerifiedCheckpoint.verify(checkpoint, signature, given.text("signer"))
            json("digest" to verified.digest(), "note" to verified.note())
        }
        "log.root" -> {
            given.known("heads")
            json("root" to logRoot(given.texts("heads")))
        }
        "log.inclusion" -> {
            given.known("heads", "index")
            json("path" to proveInclusion(given.texts("heads"), given.whole("index")))
        }
        "log.verifyInclusion" -> {
            given.known("head", "index", "size", "path", "root")
            verifyInclusion(
                given.text("head"), given.whole("index"), given.whole("size"), given.texts("path"),
                given.text("root"),
            )
            json()
        }
        "log.consistency" -> {
            given.known("heads", "oldSize")
            json("path" to proveConsistency(given.texts("heads"), given.whole("oldSize")))
        }
        "log.verifyConsistency" -> {
            given.known("oldSize", "oldRoot", "newSize", "newRoot", "path")
            verifyConsistency(
                given.whole("oldSize"), given.text("oldRoot"), given.whole("newSize"),
                given.text("newRoot"), given.texts("path"),
            )
            json()
        }
        "ledger.audit" -> audit(given)
        "ledger.settle" -> settle(given)
        "ledger.duplicates" -> {
            given.known("meters")
            val all = Duplicates()
            for (name in given.texts("meters")) {
                val host = objects[name] as? Host ?: throw Broken("no such `$name`")
                host.journal.entries.forEach(all::add)
            }
            val found = all.list().map {
                json(
                    "subscription" to it.subscription,
                    "subject" to it.subject,
                    "kept" to charge(it.kept),
                    "extra" to charge(it.extra),
                    "resolved" to it.resolved,
                )
            }
            json("duplicates" to found)
        }
        "payout.verify" -> {
            given.known("root", "payee", "token", "cumulative", "proof")
            val payout = Payout(
                given.text("payee"), given.text("token"), given.big("cumulative"),
                given.texts("proof"),
            )
            verifyPayout(given.text("root"), payout)
            json()
        }
        "x402.channel" -> {
            given.known("chainId", "channel")
            json("id" to channelId(given.whole("chainId"), given.channel("channel")))
        }
        "x402.voucher" -> {
            given.known("chainId", "channel", "maxClaimable", "signature")
            val (chain, voucher) = given.whole("chainId") to voucher(given)
            val check = verifyVoucher(chain, voucher)
            json(
                "digest" to voucherDigest(chain, voucher.channel, voucher.maxClaimable),
                "check" to if (check is VoucherCheck.Verified) "verified" else "ask_payer",
            )
        }
        "x402.claim" -> {
            given.known("chainId", "rows")
            val rows = given["rows"].asJsonArray.map {
                val row = Given(it.asJsonObject)
                row.known("channel", "maxClaimable", "signature", "totalClaimed")
                ClaimRow(voucher(row), row.big("totalClaimed"))
            }
            json(
                "digest" to claimDigest(given.whole("chainId"), rows),
                "calldata" to hex(claimCalldata(rows)),
            )
        }
        else -> throw Broken("unknown operation $op")
    }

    private fun absent(code: String) = CounterfoilException.Failed(code, "not there", null, null)

    private fun replayed(given: Given, count: Int): JsonObject {
        val entries = get<Host>(given, "meter").journal.entries.take(count)
        val host = Host(given.bytes("saltKey"), entries).also { made = it }
        return json("entries" to host.meter.entries)
    }

    private fun signed(given: Given): Receipt {
        val receipt: Receipt = get(given, "receipt")
        if (given.maybe("key") == null) return receipt
        return receipt.signed(get<LocalKey>(given, "key").sign(receipt.digest()))
    }

    private fun voucher(given: Given) =
        Voucher(given.channel("channel"), given.big("maxClaimable"), given.text("signature"))

    private fun audit(given: Given): JsonObject {
        given.known("meter", "key", "change")
        val key: LocalKey = get(given, "key")
        val entries = get<Host>(given, "meter").journal.entries
        // The slots of the ledger as it was: what each entry wanted signed.
        val fresh = Meter(MemoryJournal(), ByteArray(32))
        val slots = entries.mapNotNull(fresh::replay)
            .associate { (it.isCheckpoint() to it.slot()) to key.sign(it.digest()) }
        val auditor = Auditor()
        for (entry in damaged(entries, given)) {
            val expected = auditor.next(entry) ?: continue
            expected.check(slots[expected.isCheckpoint() to expected.slot()])
        }
        val counts = auditor.counts()
        return json(
            "entries" to counts.entries,
            "receipts" to counts.receipts,
            "denied" to counts.denied,
            "checkpoints" to counts.checkpoints,
            "unproven" to auditor.unproven(),
        )
    }

    private fun damaged(journal: List<ByteArray>, given: Given): List<ByteArray> {
        if (!given.has("change")) return journal
        val change = given.given("change")
        val entries = journal.toMutableList()
        fun at(name: String) = change.whole(name).toInt().also {
            change.known(name, "flip")
            if (it >= entries.size) throw Broken("a change beyond the journal")
        }
        when {
            change.has("drop") -> entries.removeAt(at("drop"))
            change.has("repeat") -> at("repeat").let { entries.add(it, entries[it]) }
            change.has("swap") -> at("swap").let { entries.add(it, entries.removeAt(it + 1)) }
            else -> at("entry").let {
                val flip = change.given("flip")
                flip.known("byte", "mask")
                val byte = flip.whole("byte").toInt()
                val entry = entries[it].copyOf()
                entry[byte] = (entry[byte].toInt() xor flip.whole("mask").toInt()).toByte()
                entries[it] = entry
            }
        }
        return entries
    }

    private fun changed(given: Given, name: String): String? {
        val text = given.maybe(name) ?: return null
        if (!given.has("change")) return text
        val change = given.given("change")
        change.known("find", "with")
        return text.replaceFirst(change.text("find"), change.text("with"))
    }

    private fun charge(of: LaneCharge): JsonObject {
        val receipts = of.receipts.map { json("sequence" to it.sequence, "digest" to it.digest) }
        return json("lane" to of.lane, "issuedAt" to of.issuedAt, "receipts" to receipts)
    }

    private fun settle(given: Given): JsonObject {
        given.known("meter", "extent", "closing")
        val host: Host = get(given, "meter")
        val batch = host.meter.batch(Extent.valueOf(given.text("extent").uppercase()))
        host.journal.entries.forEach(batch::add)
        val settled = batch.settle(given.flag("closing"))
        val totals = settled.totals()
        val payees = settled.payees().map {
            json("payee" to it.payee, "payable" to it.payable, "owed" to it.owed)
        }
        return json(
            "currency" to settled.currency().id,
            "gross" to totals.gross,
            "credited" to totals.credited,
            "collected" to totals.collected,
            "fees" to totals.fees,
            "claimable" to totals.claimable,
            "owed" to totals.owed,
            "held" to totals.held,
            "sold" to totals.sold,
            "refunded" to totals.refunded,
            "spent" to totals.spent,
            "unearned" to totals.unearned,
            "payouts" to totals.payouts,
            "residue" to totals.residue,
            "payees" to payees,
            "root" to settled.root(),
            "commitment" to settled.commitment(),
        )
    }
}
