package org.counterfoil

import java.math.BigInteger
import java.util.concurrent.TimeUnit
import java.util.concurrent.TimeoutException
import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.withLock

/**
 * Meters calls under plans and makes receipts. Every method may be called from any thread.
 *
 * Entries reach the journal in the order in which they were decided, one at a time, and no lock is held
 * while the journal works: it may read the meter. A thread whose entry waits longer than
 * [patienceMillis] for the one before it gives up with `step_abandoned`.
 *
 * @param saltKey a secret of 32 random bytes, the same for a journal's whole life
 * @param snapshot a state to go on from; what the journal holds after it is to be replayed first
 * @param clock tells the instant, in Unix milliseconds
 */
class Meter(
    private val journal: Journal,
    saltKey: ByteArray,
    snapshot: ByteArray? = null,
    private val clock: () -> Long = System::currentTimeMillis,
    private val patienceMillis: Long = 30_000,
) : AutoCloseable {
    private val machine =
        if (snapshot == null) StepMachine(saltKey) else StepMachine.fromSnapshot(snapshot, saltKey)
    private val lock = ReentrantLock()
    private val changed = lock.newCondition()
    private val queue = ArrayDeque<Step>()
    private val doubt = ArrayList<Step>()
    private var writer: Thread? = null

    /**
     * Folds the next entry that the journal holds, before the first command. Returns what it wants
     * signed, for a host that lacks the signature.
     */
    fun replay(entry: ByteArray): SignRequest? = machine.replay(entry)

    // Commands

    /** Begins the meter, or begins it anew after a backup was restored. */
    fun begin(origin: String, signer: String, now: Long? = null) {
        val at = now ?: clock()
        submit { machine.proposeBegin(origin, signer, at) }
    }

    /** Makes a plan known. */
    fun addPlan(plan: Plan, now: Long? = null) {
        val at = now ?: clock()
        submit { machine.proposeAddPlan(plan, at) }
    }

    /** Binds a payer to a plan, by address or by the seller's own name for the account. */
    fun subscribe(
        plan: String,
        payer: String? = null,
        account: String? = null,
        startedAt: Long? = null,
        rail: String? = null,
        now: Long? = null,
    ): Opened {
        val at = now ?: clock()
        val start = startedAt ?: at
        val done = submit { machine.proposeSubscribe(plan, payer, account, start, rail, at) }
        return (done as Outcome.Opened).value
    }

    /**
     * Asks for a hold before a call. [id] names the request: asked again, it is a replay. [content] is the
     * SHA-256 of the request as the client sent it. With [retry] the client says that it repeats a
     * request without the id of the first: it then joins the newest one of the same content within
     * `times.retry` of the plan; one that joins none has [id].
     */
    fun authorize(
        subscription: String,
        id: String,
        most: Usage,
        createdAt: Long? = null,
        content: String? = null,
        retry: Boolean = false,
        now: Long? = null,
    ): Answer {
        val at = now ?: clock()
        val done = submit {
            machine.proposeAuthorize(subscription, id, createdAt, content, retry, most, at)
        }
        return when (done) {
            is Outcome.Authorized -> Hold(this, subscription, id, done.value)
            is Outcome.Denied -> Denied(done.value)
            else -> Replayed((done as Outcome.Replayed).value)
        }
    }

    /**
     * Charges what the call really used: a receipt, or a replay. [content] is the SHA-256 of the bytes
     * that the usage was read from.
     */
    fun settle(
        subscription: String,
        id: String,
        usage: Usage,
        content: String? = null,
        now: Long? = null,
    ): Outcome {
        val at = now ?: clock()
        return submit { machine.proposeSettle(subscription, id, usage, content, at) }
    }

    /** Charges what a running call has used so far: [usage] is all of it. Its hold goes on for the rest. */
    fun settlePart(
        subscription: String,
        id: String,
        usage: Usage,
        content: String? = null,
        now: Long? = null,
    ): Outcome {
        val at = now ?: clock()
        return submit { machine.proposeSettlePart(subscription, id, usage, content, at) }
    }

    /**
     * Charges a call that ended and of which nobody knows what it used, as its plan says: a receipt, or a
     * replay.
     */
    fun settleUnfinished(subscription: String, id: String, now: Long? = null): Outcome {
        val at = now ?: clock()
        return submit { machine.proposeSettleUnfinished(subscription, id, at) }
    }

    /**
     * Lets a hold reserve for longer, while it still reserves: a whole hold of the plan from now on, and
     * not longer than its grace after the call was authorised. With [most], what the call may use in all,
     * it reserves for more; if a limit has no room for that it is denied, and the hold stays as it was.
     */
    fun extend(subscription: String, id: String, most: Usage? = null, now: Long? = null): Outcome {
        val at = now ?: clock()
        return submit { machine.proposeExtend(subscription, id, most, at) }
    }

    /** Ends a hold without a charge, or marks the outcome of its call unknown. */
    fun release(
        subscription: String,
        id: String,
        unknown: Boolean = false,
        now: Long? = null,
    ): Released {
        val at = now ?: clock()
        val reason = if (unknown) ReleaseReason.UNKNOWN else ReleaseReason.RELEASED
        val done = submit { machine.proposeRelease(subscription, id, reason, at) }
        return (done as Outcome.Released).value
    }

    /** Meters one record of a finished call: a receipt, a denial, or nothing if it was metered before. */
    fun importRecord(
        subscription: String,
        usage: Usage,
        mark: Mark,
        at: Long,
        content: String? = null,
    ): Outcome = submit { machine.proposeImport(subscription, at, usage, content, mark) }

    /** Does the first thing that is due; call it until it returns [Outcome.Nothing]. */
    fun due(now: Long? = null): Outcome {
        val at = now ?: clock()
        return submit { machine.proposeDue(at) }
    }

    /** Fixes the log's state, if it grew since the last checkpoint. */
    fun checkpoint(): Checkpointed? =
        (submit { machine.proposeCheckpoint() } as? Outcome.Checkpointed)?.value

    /** Records money that arrived for a lane: the totals so far, in atomic units. */
    fun collect(
        lane: String,
        amount: BigInteger,
        reference: String,
        fee: BigInteger = BigInteger.ZERO,
        at: Long? = null,
    ) {
        val instant = at ?: clock()
        submit { machine.proposeCollect(lane, amount, fee, reference, instant) }
    }

    /**
     * Gives a subscription a grant. [terms] is JSON, in the form of a plan's `grants`, with the instant
     * `expires_at`; the same terms again give nothing.
     */
    fun grant(subscription: String, terms: String, now: Long? = null) {
        val at = now ?: clock()
        submit { machine.proposeGrant(subscription, terms, at) }
    }

    /** Takes back what is left of a grant and no hold reserves; says what the buyer of a paid one is owed. */
    fun void(subscription: String, grant: String, now: Long? = null): Voided {
        val at = now ?: clock()
        val done = submit { machine.proposeVoid(subscription, grant, at) }
        return (done as Outcome.Voided).value
    }

    /**
     * Ends a subscription at once or with its term, as its plan says. What was billed in advance of a
     * fee with `prorate` is credited by [due], once it has ended.
     */
    fun cancel(subscription: String, now: Long? = null): Cancelled {
        val at = now ?: clock()
        val done = submit { machine.proposeCancel(subscription, at) }
        return (done as Outcome.Cancelled).value
    }

    /** Ends a subscription now, and opens one of the same payer to another plan, in one entry. */
    fun switch(subscription: String, plan: String, now: Long? = null): Opened {
        val at = now ?: clock()
        val done = submit { machine.proposeSwitch(subscription, plan, at) }
        return (done as Outcome.Opened).value
    }

    /**
     * Shows the meter evidence that the plan's condition asks for: the signed document. Calls after it may
     * rely on it.
     */
    fun present(subscription: String, evidence: String, now: Long? = null) {
        val at = now ?: clock()
        submit { machine.proposePresent(subscription, evidence, at) }
    }

    /**
     * Gives back what [receipt] cost: an exact [amount] of atomic units, or all that is left: a receipt,
     * or a replay. The receipt has its body and is signed by the meter's key; the same [id] gives back
     * once.
     */
    fun credit(
        subscription: String,
        id: String,
        receipt: Receipt,
        reason: String,
        amount: String? = null,
        now: Long? = null,
    ): Outcome {
        val at = now ?: clock()
        return submit { machine.proposeCredit(subscription, id, receipt, amount, reason, at) }
    }

    /**
     * Lends a share of a subscription to another meter: a lease, or a denial. Give it the lease's bytes
     * with its signature.
     */
    fun lease(request: LeaseRequest, now: Long? = null): Outcome {
        val at = now ?: clock()
        return submit { machine.proposeLease(request, at) }
    }

    /**
     * Takes a lease that another meter made for this one. From then on its id stands for the
     * subscription's: [authorize] and [settle] name it.
     */
    fun accept(
        lease: ByteArray,
        signature: String,
        rail: String? = null,
        now: Long? = null,
    ): Opened {
        val at = now ?: clock()
        val done = submit { machine.proposeAccept(lease, signature, rail, at) }
        return (done as Outcome.Opened).value
    }

    /**
     * Says what the calls under a lease used so far; after the [closing] one it takes no more. Give it
     * to the meter that lent, with its signature.
     */
    fun statement(lease: String, closing: Boolean, now: Long? = null): Stated {
        val at = now ?: clock()
        val done = submit { machine.proposeStatement(lease, closing, at) }
        return (done as Outcome.Stated).value
    }

    /** Takes note of what the holder of a lease says; of its last word, takes the rest back. */
    fun absorb(statement: ByteArray, signature: String, now: Long? = null) {
        val at = now ?: clock()
        submit { machine.proposeAbsorb(statement, signature, at) }
    }

    /**
     * Ends the doubt: [durable] is how many entries the journal really holds. Returns what was decided
     * by the steps in doubt that turn out to be durable.
     */
    fun recover(durable: Long): List<Outcome> = lock.withLock {
        if (queue.isNotEmpty()) throw stalled("steps wait for the journal")
        machine.recover(durable.toULong())
        val decided = ArrayList<Outcome>()
        for (step in doubt) {
            // The first that was not written ends it: those after it were not either.
            decided.add(try { machine.confirm(step) } catch (_: CounterfoilException) { break })
        }
        doubt.forEach(Step::close)
        doubt.clear()
        decided
    }

    // Views: of what is durable

    /** How many entries are durable. */
    val entries: Long get() = machine.entries().toLong()

    /** A plan by its id. */
    fun plan(id: String): Plan? = machine.plan(id)

    /** Every lane, by id. */
    fun lanes(): List<LaneTotals> = machine.lanes()

    /** One lane's totals. */
    fun lane(id: String): LaneTotals? = machine.lane(id)

    /** Every subscription, by id. */
    fun subscriptions(): List<SubscriptionView> = machine.subscriptions()

    /** One subscription's counters in their newest windows, its grants, and what is reserved. */
    fun subscription(id: String): SubscriptionView? = machine.subscription(id)

    /**
     * A subscription's holds: those that reserve, also of calls whose outcome is unknown, and those that
     * expired and may still be settled.
     */
    fun holds(subscription: String): List<HoldView>? = machine.holds(subscription)

    /** A subscription's leases that are out, by id, and what their holders last stated. */
    fun leases(subscription: String): List<LeaseView>? = machine.leases(subscription)

    /** The durable state as bytes. */
    fun snapshot(): ByteArray = machine.snapshot()

    /** A batch over the meter's lanes; add the journal's entries to it, then settle it. */
    fun batch(extent: Extent, currency: String? = null): Batch = Batch(machine, currency, extent)

    override fun close() = machine.close()

    // The order of things

    private fun submit(propose: () -> Step): Outcome {
        val step = lock.withLock {
            if (writer === Thread.currentThread()) {
                throw stalled("the journal called back into the meter")
            }
            propose().also(::awaitTurn)
        }
        try {
            step.entry()?.let(journal::append)
        } catch (failure: Throwable) {
            throw when (failure) {
                is InDoubt -> stall("the journal is in doubt", failure)
                // Stopped in the middle: who knows.
                is InterruptedException, is Error -> stall("the journal was stopped", failure)
                else -> abandon(step, "the journal failed", failure)
            }
        }
        return lock.withLock {
            leave(step)
            machine.confirm(step).also { step.close() }
        }
    }

    /** Until every earlier entry is durable. */
    private fun awaitTurn(step: Step) {
        queue.addLast(step)
        var left = TimeUnit.MILLISECONDS.toNanos(patienceMillis)
        try {
            while (step in queue && queue.first() !== step) {
                if (left <= 0) {
                    throw abandon(step, "the journal has not answered", TimeoutException())
                }
                left = changed.awaitNanos(left)
            }
        } catch (interrupted: InterruptedException) {
            throw abandon(step, "interrupted", interrupted).also { Thread.currentThread().interrupt() }
        }
        if (step in doubt) throw stalled("an earlier entry is in doubt")
        if (step !in queue) throw abandoned("an earlier entry was not written").also { step.close() }
        writer = Thread.currentThread()
    }

    private fun leave(step: Step) {
        writer = null
        queue.remove(step)
        changed.signalAll()
    }

    /** Drops the step and all after it; their callers propose again. */
    private fun abandon(step: Step, why: String, cause: Throwable) = lock.withLock {
        if (step in queue) {
            if (queue.first() === step) writer = null
            machine.abandon(step)
            while (queue.last() !== step) queue.removeLast()
            queue.removeLast()
            changed.signalAll()
        }
        step.close()
        abandoned(why, cause)
    }

    private fun stall(why: String, cause: Throwable) = lock.withLock {
        machine.stall()
        writer = null
        doubt.addAll(queue)
        queue.clear()
        changed.signalAll()
        stalled(why, cause)
    }
}
