package org.counterfoil

/** Where entries become durable, in the order in which they are given. */
fun interface Journal {
    /**
     * Returns once the entry is durable. An exception says that it was not written, and [InDoubt]
     * that this is not known.
     */
    @Throws(Exception::class)
    fun append(entry: ByteArray)
}

/** A journal that forgets everything with the process: for tests and previews. */
class MemoryJournal : Journal {
    /** Everything appended so far. */
    val entries: MutableList<ByteArray> = mutableListOf()

    override fun append(entry: ByteArray) {
        entries.add(entry)
    }
}
