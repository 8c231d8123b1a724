package org.counterfoil

/** What [Meter.authorize] answers. */
sealed interface Answer

/** The call may not be made: why, and what would change the answer. */
data class Denied(val denial: Denial) : Answer

/** The same request was made before; nothing was recorded. */
data class Replayed(val replay: Replay) : Answer

/**
 * An authorised call. Closing it without [settle] or [release] marks the call's outcome unknown: what
 * it may have cost stays reserved until the deadline.
 */
class Hold internal constructor(
    private val meter: Meter,
    val subscription: String,
    val id: String,
    private val authorized: Authorized,
) : Answer, AutoCloseable {
    private var ended = false

    /** When the hold expires. */
    var deadline: Long = authorized.deadline
        private set

    /** The hash of the request id. */
    val subject: String get() = authorized.subject

    /** The lane that the receipt will enter. */
    val lane: String get() = authorized.lane

    /** The instant that fixes window and prices. */
    val authorizedAt: Long get() = authorized.authorizedAt

    /** How much the hold raised the reserve, exact. */
    val reserved: String get() = authorized.reserved

    /** Charges what the call really used. */
    fun settle(usage: Usage, content: String? = null, now: Long? = null): Outcome =
        meter.settle(subscription, id, usage, content, now).also { ended = true }

    /** Charges what the call has used so far, while it goes on. */
    fun settlePart(usage: Usage, content: String? = null, now: Long? = null): Outcome =
        meter.settlePart(subscription, id, usage, content, now)

    /** Charges the call as its plan says: it ended, and nobody knows what it used. */
    fun settleUnfinished(now: Long? = null): Outcome =
        meter.settleUnfinished(subscription, id, now).also { ended = true }

    /** Reserves for longer, and with [most] for more, while it still reserves: extended, or denied. */
    fun extend(most: Usage? = null, now: Long? = null): Outcome =
        meter.extend(subscription, id, most, now).also {
            if (it is Outcome.Extended) deadline = it.value.deadline
        }

    /** Gives the hold back: the call was not made, or is free. */
    fun release(now: Long? = null): Released =
        meter.release(subscription, id, now = now).also { ended = true }

    override fun close() {
        if (!ended) {
            ended = true
            meter.release(subscription, id, unknown = true)
        }
    }
}

/** The receipt that was issued; `null` for any other outcome. */
val Outcome.issued: Issued?
    get() = (this as? Outcome.Receipt)?.value
