package org.counterfoil

import java.io.File
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

class ConformanceTest {
    @Test
    fun `every vector gives what it says`() {
        val folder = File(System.getProperty("counterfoil.vectors"))
        val counts = File(System.getProperty("counterfoil.counts"))
        assertEquals(listOf<String>(), runAll(folder, counts))
    }
}
