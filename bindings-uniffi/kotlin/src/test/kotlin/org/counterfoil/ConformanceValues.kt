package org.counterfoil

import com.google.gson.JsonArray
import com.google.gson.JsonElement
import com.google.gson.JsonNull
import com.google.gson.JsonObject
import com.google.gson.JsonPrimitive
import java.math.BigInteger

/** The vector itself is wrong. */
class Broken(message: String) : Exception(message)

/** The members of a step's `in`. Reading one that is not there breaks the vector. */
class Given(private val members: JsonObject) {
    fun known(vararg names: String) {
        members.keySet().find { it !in names }?.let { throw Broken("unknown member `$it`") }
    }

    operator fun get(name: String): JsonElement = members[name] ?: throw Broken("`$name` is missing")

    fun text(name: String): String = plain(get(name), name)

    /** A member that may be absent or null. */
    fun maybe(name: String): String? =
        members[name]?.takeUnless(JsonElement::isJsonNull)?.let { plain(it, name) }

    fun big(name: String): BigInteger {
        val text = text(name)
        if (!text.matches(Regex("[0-9]+"))) throw Broken("`$name` is no integer")
        return BigInteger(text)
    }

    fun whole(name: String): ULong =
        big(name).toString().toULongOrNull() ?: throw Broken("`$name` is too large")

    fun instant(name: String): Long = big(name).toString().toLongOrNull() ?: Long.MAX_VALUE

    fun instantOrNull(name: String): Long? = maybe(name)?.let { instant(name) }

    fun has(name: String): Boolean = members.has(name)

    fun flag(name: String): Boolean = get(name).asBoolean

    /** A flag that may be absent: then it is off. */
    fun isOn(name: String): Boolean = members[name]?.asBoolean ?: false

    fun texts(name: String): List<String> = get(name).asJsonArray.map { plain(it, name) }

    fun bytes(name: String): ByteArray {
        val digits = text(name).removePrefix("0x")
        return ByteArray(digits.length / 2) { digits.substring(2 * it, 2 * it + 2).toInt(16).toByte() }
    }

    /** A map of integers that may be absent. */
    fun wholes(name: String): Map<String, ULong> = entries(name) { given, key -> given.whole(key) }

    /** A map of texts that may be absent. */
    fun textMap(name: String): Map<String, String> = entries(name) { given, key -> given.text(key) }

    private fun <T> entries(name: String, read: (Given, String) -> T): Map<String, T> {
        if (!has(name)) return mapOf()
        val given = given(name)
        return given.members.keySet().associateWith { read(given, it) }
    }

    fun given(name: String): Given = Given(get(name).asJsonObject)

    fun usage(name: String): Usage {
        val given = given(name)
        given.known("meters", "attributes", "surface", "basis")
        val meters = given["meters"].asJsonObject
        return Usage(
            meters = meters.keySet().associateWith { meter ->
                Given(meters).big(meter).toString().toULongOrNull() ?: ULong.MAX_VALUE
            },
            attributes = given.members["attributes"]?.asJsonObject?.let { all ->
                all.keySet().associateWith { Given(all).text(it) }
            } ?: mapOf(),
            surface = given.maybe("surface") ?: "plain",
            basis = given.maybe("basis") ?: "measured",
        )
    }

    fun channel(name: String): Channel {
        val given = given(name)
        given.known(
            "payer", "payerAuthorizer", "receiver", "receiverAuthorizer", "token", "withdrawDelay",
            "salt",
        )
        return Channel(
            payer = given.text("payer"),
            payerAuthorizer = given.text("payerAuthorizer"),
            receiver = given.text("receiver"),
            receiverAuthorizer = given.text("receiverAuthorizer"),
            token = given.text("token"),
            withdrawDelay = given.whole("withdrawDelay"),
            salt = given.text("salt"),
        )
    }

    private fun plain(value: JsonElement, name: String): String =
        if (value is JsonPrimitive && value.isString) value.asString
        else throw Broken("`$name` is no text")
}

/** The value with every `@name.member` replaced by that member of an earlier result. */
fun resolved(value: JsonElement, outs: JsonObject): JsonElement = when {
    value is JsonPrimitive && value.isString && value.asString.startsWith("@") ->
        value.asString.drop(1).split(".").fold(outs as JsonElement) { found, part ->
            when (found) {
                is JsonObject -> found[part]
                is JsonArray -> part.toIntOrNull()?.takeIf { it < found.size() }?.let(found::get)
                else -> null
            } ?: throw Broken("`${value.asString}` names nothing before this step")
        }
    value is JsonArray -> JsonArray().also { list -> value.forEach { list.add(resolved(it, outs)) } }
    value is JsonObject -> json(
        *value.entrySet().map { (name, one) -> name to resolved(one, outs) }.toTypedArray(),
    )
    else -> value
}

/** The place, where it is the same in every implementation. */
fun sharedPlace(place: String?): String? = when {
    place == null || place.isEmpty() -> place
    place.startsWith("entry ") -> place.substringBefore(": ")
    listOf("/", "lane ", "checkpoint ").any(place::startsWith) -> place
    else -> null
}

fun hex(bytes: ByteArray): String = "0x" + bytes.joinToString("") { "%02x".format(it) }

/** An object of these members; integers become decimal text. */
fun json(vararg members: Pair<String, Any?>): JsonObject {
    val made = JsonObject()
    for ((name, value) in members) made.add(name, element(value))
    return made
}

private fun element(value: Any?): JsonElement = when (value) {
    null -> JsonNull.INSTANCE
    is JsonElement -> value
    is Boolean -> JsonPrimitive(value)
    is List<*> -> JsonArray().also { array -> value.forEach { array.add(element(it)) } }
    is Map<*, *> -> json(*value.map { (name, one) -> name as String to one }.toTypedArray())
    else -> JsonPrimitive(value.toString())
}

fun sign(request: SignRequest?): JsonObject? = request?.let {
    json(
        "slot" to it.slot(),
        "digest" to it.digest(),
        "signer" to it.signer(),
        "checkpoint" to it.isCheckpoint(),
    )
}

fun opened(done: Opened): JsonObject =
    json("subscription" to done.subscription, "lane" to done.lane, "sign" to sign(done.sign))

fun denied(denial: Denial): JsonObject = json(
    "denied" to json(
        "code" to denial.code,
        "rule" to denial.rule,
        "value" to denial.value,
        "start" to denial.window?.start,
        "end" to denial.window?.end,
        "meter" to denial.meter,
        "most" to denial.most,
        "spent" to denial.spent,
        "needed" to denial.needed,
        "available" to denial.available,
        "retryAt" to denial.retryAt,
    ),
)

fun replayed(replay: Replay): JsonObject =
    json("replayed" to json("state" to replay.state.name.lowercase(), "receipt" to replay.receipt))

fun receipt(issued: Issued): JsonObject {
    val head = issued.receipt.head()
    var exact = "0"
    var remainder = 0uL
    var uncollected = "0"
    var late = false
    for (item in issued.receipt.items()) {
        if (item is Item.Price) {
            exact = item.exact
            remainder = item.remainderAfter
            uncollected = item.uncollected
            late = item.late
        } else if (item is Item.Correction) {
            exact = item.exact
            remainder = item.remainderAfter
        } else if (item is Item.Credit) {
            exact = item.exact
            remainder = item.remainderAfter
        }
    }
    return json(
        "digest" to issued.digest,
        "position" to issued.position,
        "lane" to head.lane,
        "sequence" to head.sequence,
        "kind" to head.kind,
        "subject" to head.subject,
        "authorizedAt" to head.authorizedAt,
        "issuedAt" to head.issuedAt,
        "charge" to head.charge,
        "cumulative" to head.cumulative,
        "credited" to head.credited,
        "exact" to exact,
        "remainder" to remainder,
        "uncollected" to uncollected,
        "late" to late,
        "body" to head.body,
        "sign" to sign(issued.sign),
        "crossed" to issued.crossed.map {
            json(
                "limit" to it.limit,
                "value" to it.value,
                "fraction" to it.fraction,
                "start" to it.window.start,
                "end" to it.window.end,
            )
        },
    )
}

fun checkpoint(made: Checkpointed): JsonObject = made.checkpoint.let {
    json(
        "checkpoint" to json(
            "origin" to it.origin,
            "size" to it.size,
            "root" to it.root,
            "lanes" to it.lanes,
            "time" to it.time,
            "sign" to sign(made.sign),
        ),
    )
}

/** The one member of a result of several kinds. */
fun outcome(done: Outcome): JsonObject = when (done) {
    is Outcome.Nothing -> json("nothing" to json())
    is Outcome.Denied -> denied(done.value)
    is Outcome.Replayed -> replayed(done.value)
    is Outcome.Receipt -> json("receipt" to receipt(done.value))
    is Outcome.Released -> json("released" to json("subject" to done.value.subject))
    is Outcome.Opened -> json("opened" to opened(done.value))
    is Outcome.Checkpointed -> checkpoint(done.value)
    is Outcome.Leased -> json(
        "leased" to json(
            "lease" to done.value.lease,
            "bytes" to hex(done.value.bytes),
            "sign" to sign(done.value.sign),
        ),
    )
    is Outcome.Reclaimed -> json("reclaimed" to json("lease" to done.value.lease))
    is Outcome.Extended -> json(
        "extended" to json("subject" to done.value.subject, "deadline" to done.value.deadline),
    )
    is Outcome.Authorized, is Outcome.Cancelled, is Outcome.Voided, is Outcome.Stated, is Outcome.Done -> throw Broken("no result: $done")
}
