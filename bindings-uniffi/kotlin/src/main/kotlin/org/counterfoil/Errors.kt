package org.counterfoil

/** Never changes its meaning and is the same in every language: `json_unknown_field`, `meter_stalled` … */
val CounterfoilException.code: String
    get() = (this as CounterfoilException.Failed).code

/** The whole failure in words. */
val CounterfoilException.reason: String
    get() = (this as CounterfoilException.Failed).reason

/** Where: a JSON Pointer, a lane and receipt … */
val CounterfoilException.place: String?
    get() = (this as CounterfoilException.Failed).place

/** Thrown by a journal that cannot say whether it wrote the entry. The meter then takes no command until [Meter.recover]. */
class InDoubt(message: String? = null, cause: Throwable? = null) : Exception(message, cause)

internal fun stalled(why: String, cause: Throwable? = null): CounterfoilException =
    failed("meter_stalled", "a write's outcome is unknown ($why)", cause)

internal fun abandoned(why: String, cause: Throwable? = null): CounterfoilException =
    failed("step_abandoned", "step was abandoned ($why)", cause)

private fun failed(code: String, reason: String, cause: Throwable?): CounterfoilException {
    val error = CounterfoilException.Failed(code, reason, null, null)
    cause?.let(error::initCause)
    return error
}
