package org.counterfoil

import java.io.IOException
import java.math.BigInteger
import java.util.Collections
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import java.util.concurrent.TimeoutException
import kotlin.concurrent.thread
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertInstanceOf
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertSame
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

const val PLAN = """{
  "format": "counterfoil/plan/1",
  "name": "Test",
  "authority": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
  "currency": {"iso4217": "USD"},
  "meters": {"requests": "call"},
  "charges": [{"id": "calls", "meter": "requests", "model": "per_unit", "price": "0.004"}],
  "limits": [{"id": "cap", "spend": "10", "window": "month"}],
  "payees": [{"payee": "model", "weight": 1}],
  "signing": {"mode": "each"}
}"""
private const val NOW = 1_790_000_000_000L
private val ONE = Usage(mapOf("requests" to 1uL))

/** A journal whose next append does something else first. */
private class Odd : Journal {
    val entries: MutableList<ByteArray> = Collections.synchronizedList(mutableListOf())
    var first: ((ByteArray) -> Unit)? = null

    override fun append(entry: ByteArray) {
        val first = first.also { first = null }
        first?.invoke(entry)
        entries.add(entry)
    }
}

private fun replayed(entries: List<ByteArray>) =
    Meter(MemoryJournal(), ByteArray(32)).also { entries.forEach(it::replay) }

private fun fails(code: String, run: () -> Unit): CounterfoilException =
    assertThrows(CounterfoilException::class.java, run).also { assertEquals(code, it.code) }

class MeterTest {
    private val journal = Odd()
    private val key = LocalKey(
        BigInteger("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d", 16)
            .toByteArray(),
    )
    private val meter = Meter(journal, ByteArray(32), clock = { NOW }, patienceMillis = 300)
    private val subscription: String

    init {
        meter.begin("test/log", key.address())
        val plan = Plan.fromJson(PLAN)
        meter.addPlan(plan)
        subscription = meter.subscribe(plan.id(), account = "ada").subscription
    }

    private fun authorize(id: String) = meter.authorize(subscription, id, ONE) as Hold

    private fun reserved() = meter.subscription(subscription)!!.reserved

    private fun consistent() =
        assertArrayEquals(replayed(journal.entries).snapshot(), meter.snapshot())

    @Test
    fun `a call is authorised, settled, signed and verified`() {
        val issued = authorize("r1").use { hold ->
            assertEquals("0.4", hold.reserved)
            hold.settle(ONE).issued!!
        }
        assertEquals("0", reserved())
        val signature = issued.sign!!.accept(key.sign(issued.digest))
        val header = issued.receipt.signed(signature).toHeader()
        val verified = Receipt.fromHeader(header).verify(key.address())
        assertEquals(issued.digest, verified.digest())
        val again = meter.settle(subscription, "r1", ONE) as Outcome.Replayed
        assertEquals(issued.digest, again.value.receipt)
        consistent()
    }

    @Test
    fun `a denial says why and records nothing`() {
        val before = journal.entries.size
        val denied = meter.authorize(subscription, "r1", Usage(mapOf("requests" to 2501uL)))
        val denial = assertInstanceOf(Denied::class.java, denied).denial
        assertEquals(listOf("limit_reached", "limits/cap"), listOf(denial.code, denial.rule))
        assertEquals(402.toUShort(), httpStatus(denial))
        assertEquals(before, journal.entries.size)
    }

    @Test
    fun `leaving the scope without settling marks the outcome unknown`() {
        authorize("r1").use { }
        assertThrows(ArithmeticException::class.java) {
            authorize("r2").use { throw ArithmeticException() }
        }
        assertEquals("0.8", reserved())
        authorize("r3").use { it.release() }
        assertEquals("0.8", reserved())
        assertNotNull(meter.settle(subscription, "r1", ONE).issued)
    }

    @Test
    fun `a journal that fails abandons the step`() {
        val before = journal.entries.size
        val full = IOException("disk full")
        journal.first = { throw full }
        val failed = fails("step_abandoned") { authorize("r1") }
        assertSame(full, failed.cause)
        assertEquals(before, journal.entries.size)
        assertEquals("0", reserved())
        val hold = authorize("r1")
        journal.first = { throw full }
        fails("step_abandoned") { hold.settle(ONE) }
        assertEquals("0.4", reserved())
        assertNotNull(hold.settle(ONE).issued)
    }

    @Test
    fun `a journal in doubt stalls until the doubt ends`() {
        for (written in listOf(true, false)) {
            val id = "written $written"
            lateinit var lost: ByteArray
            journal.first = { lost = it; throw InDoubt() }
            fails("meter_stalled") { authorize(id) }
            fails("meter_stalled") { authorize("other") }
            val before = reserved()
            fails("entry_misplaced") { meter.recover(journal.entries.size + 2L) }
            if (written) journal.entries.add(lost)
            val decided = meter.recover(journal.entries.size.toLong())
            assertEquals(if (written) 1 else 0, decided.size)
            assertEquals(if (written) "0.4" else before, reserved())
            val again = meter.authorize(subscription, id, ONE)
            assertInstanceOf(if (written) Replayed::class.java else Hold::class.java, again)
            consistent()
        }
    }

    @Test
    fun `an error while writing is a doubt`() {
        journal.first = { throw OutOfMemoryError() }
        val failed = fails("meter_stalled") { authorize("r1") }
        assertInstanceOf(OutOfMemoryError::class.java, failed.cause)
    }

    @Test
    fun `a journal that calls back reads but does not write`() {
        lateinit var seen: String
        journal.first = { seen = reserved(); authorize("inner") }
        val failed = fails("step_abandoned") { authorize("outer") }
        assertEquals("meter_stalled", (failed.cause as CounterfoilException).code)
        assertEquals("0", seen)
        journal.first = { fails("meter_stalled") { authorize("inner") } }
        authorize("outer")
        authorize("inner")
        consistent()
    }

    @Test
    fun `a silent journal holds up nobody for ever`() {
        val (writing, answer) = CountDownLatch(1) to CountDownLatch(1)
        journal.first = { writing.countDown(); answer.await(10, TimeUnit.SECONDS) }
        var slow: Hold? = null
        val thread = thread { slow = authorize("r1") }
        assertTrue(writing.await(10, TimeUnit.SECONDS))
        val failed = fails("step_abandoned") { authorize("r2") }
        assertInstanceOf(TimeoutException::class.java, failed.cause)
        assertEquals("0", reserved())
        answer.countDown()
        thread.join(10_000)
        assertNotNull(slow)
        authorize("r2")
        consistent()
    }

    @Test
    fun `threads append in the order of their decisions`() {
        val patient = Meter(journal, ByteArray(32), meter.snapshot(), clock = { NOW })
        List(8) { number ->
            thread {
                repeat(20) {
                    val hold = patient.authorize(subscription, "$number/$it", ONE) as Hold
                    hold.use { it.settle(ONE) }
                }
            }
        }.forEach(Thread::join)
        assertEquals(3 + 2 * 8 * 20, journal.entries.size)
        assertArrayEquals(replayed(journal.entries).snapshot(), patient.snapshot())
        assertEquals("64", patient.lanes().single().cumulative)
    }

    @Test
    fun `money reaches from nothing to the most`() {
        val most = BigInteger.TWO.pow(128) - BigInteger.ONE
        for (amount in listOf(BigInteger.ZERO, BigInteger.ONE, BigInteger.TWO.pow(64), most)) {
            assertEquals(amount, bill(Rounding.CARRY, amount.toString(), 0uL).amount)
        }
        fails("amount_overflow") { bill(Rounding.UP, "$most.5", 0uL) }
        fails("decimal_too_fine") { bill(Rounding.UP, "0.0000000000000000001", 0uL) }
        val lane = meter.lanes().single().lane
        fails("decimal_invalid") { meter.collect(lane, BigInteger.ONE.negate(), "x") }
        fails("amount_overflow") { meter.collect(lane, most + BigInteger.ONE, "x") }
        fails("time_invalid") { meter.due(-1) }
    }

    @Test
    fun `an error says what, where and on which input`() {
        val failed = assertThrows(CounterfoilException::class.java) {
            Plan.fromJson("""{"format": "counterfoil/plan/1", "prise": 1}""")
        }
        assertTrue(failed.code.startsWith("json_"))
        assertTrue(failed.place!! in failed.reason)
        fails("key_invalid") { LocalKey(ByteArray(31)) }
        val short = fails("hex_invalid") { key.sign("0x12") } as CounterfoilException.Failed
        assertEquals("0x12", short.offending)
        assertNull(short.place)
    }
}
