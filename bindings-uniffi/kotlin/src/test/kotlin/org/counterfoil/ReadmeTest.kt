package org.counterfoil

import java.io.File
import java.security.SecureRandom
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** The README's code is the code between the marks below, and runs. */
class ReadmeTest {
    @Test
    fun `the example of the readme`() {
        val planJson = PLAN
        val secret = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
            .chunked(2).map { it.toInt(16).toByte() }.toByteArray()
        val saltKey = ByteArray(32).also(SecureRandom()::nextBytes)
        // README
        val key = LocalKey(secret)
        val plan = Plan.fromJson(planJson)

        // Entries become durable in your journal: anything with `append(entry)`.
        val meter = Meter(MemoryJournal(), saltKey)
        meter.begin("shop.example/log-1", key.address())
        meter.addPlan(plan)
        val subscription = meter.subscribe(plan.id(), account = "ada").subscription

        // Before the call: may it be made? Afterwards: what did it use?
        val one = Usage(mapOf("requests" to 1uL))
        val header = when (val answer = meter.authorize(subscription, "request-1", one)) {
            is Denied -> throw Exception("refused by ${answer.denial.rule}")
            is Replayed -> throw Exception("asked before: ${answer.replay.state}")
            is Hold -> answer.use { hold ->
                val issued = hold.settle(one).issued!!
                issued.receipt.signed(key.sign(issued.digest)).toHeader()
            }
        }

        // The buyer trusts nothing but the signature.
        val receipt = Receipt.fromHeader(header).verify(plan.authority())
        check(receipt.head().sequence == 1uL)
        // README
        assertEquals(271 + 87, header.length)
    }

    @Test
    fun `the readme shows the code that runs`() {
        val readme = File(System.getProperty("counterfoil.readme"))
        val source = File(readme.parentFile, "src/test/kotlin/org/counterfoil/ReadmeTest.kt")
        val shown = readme.readText().substringAfter("```kotlin\n").substringBefore("```")
        val run = source.readText().split("        // README\n")[1]
        assertTrue(shown.isNotBlank())
        assertEquals(run.trimIndent().trim(), shown.trim())
    }
}
