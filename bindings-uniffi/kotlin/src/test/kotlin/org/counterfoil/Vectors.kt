package org.counterfoil

import com.google.gson.Gson
import com.google.gson.GsonBuilder
import com.google.gson.JsonObject
import com.google.gson.JsonParser
import java.io.File
import java.util.TreeMap

private fun ran(script: Script, step: JsonObject): JsonObject = try {
    json("out" to script.run(step))
} catch (e: CounterfoilException) {
    val place = sharedPlace(e.place)?.let { arrayOf("place" to it) } ?: arrayOf()
    json("error" to json("code" to e.code, *place))
}

/** What differs in a vector, if anything does. */
fun differs(vector: JsonObject, counts: MutableMap<String, Int>): String? {
    Given(vector).known("format", "id", "title", "rules", "scope", "steps")
    if (Given(vector).text("format") != "counterfoil/vector/0") throw Broken("unknown format")
    val script = Script()
    vector["steps"].asJsonArray.forEachIndexed { at, one ->
        val step = one.asJsonObject
        val got = ran(script, step)
        if (!same(step, got)) {
            val wanted = step["out"] ?: step["error"]
            return "step $at ${step["op"]}: expected $wanted, got $got"
        }
        counts.merge(step["op"].asString, 1, Int::plus)
    }
    return null
}

private fun same(step: JsonObject, got: JsonObject): Boolean {
    if (!step.has("error")) return step.has("out") && step["out"] == got["out"]
    val wanted = Given(step).given("error")
    val failed = got["error"]?.let { Given(it.asJsonObject) } ?: return false
    wanted.known("code", "place")
    val place = wanted.maybe("place")
    return wanted.text("code") == failed.text("code") &&
        (place == null || place == failed.maybe("place"))
}

/** Runs every vector of scope `all` below a folder; writes the counts; returns what differs. */
fun runAll(folder: File, counts: File): List<String> {
    val executed = TreeMap<String, Int>()
    var vectors = 0
    val failures = ArrayList<String>()
    for (file in folder.walkTopDown().maxDepth(2).filter { it.parentFile != folder && it.extension == "json" }.sorted()) {
        val vector = JsonParser.parseString(file.readText()).asJsonObject
        if (Given(vector).text("scope") != "all") continue
        vectors += 1
        try {
            differs(vector, executed)?.let { failures.add("$file: $it") }
        } catch (broken: Broken) {
            failures.add("$file: broken: ${broken.message}")
        }
    }
    counts.writeText(GsonBuilder().setPrettyPrinting().create().toJson(executed) + "\n")
    println("kotlin: ${executed.values.sum()} steps in $vectors vectors, ${failures.size} failed")
    return failures
}

/** `--stream`: a vector a line, answered with `ok` or what differs. `--print FILE`: what is computed. */
fun main(args: Array<String>) {
    if (args.first() == "--print") {
        val vector = JsonParser.parseString(File(args[1]).readText()).asJsonObject
        val script = Script()
        for (step in vector["steps"].asJsonArray.map { it.asJsonObject }) {
            val got = ran(script, step)
            listOf("out", "error").forEach { step.remove(it) }
            got.entrySet().forEach { (name, value) -> step.add(name, value) }
        }
        println(GsonBuilder().setPrettyPrinting().serializeNulls().disableHtmlEscaping().create().toJson(vector))
        return
    }
    for (line in generateSequence(::readLine)) {
        val answer = try {
            differs(Gson().fromJson(line, JsonObject::class.java), TreeMap()) ?: "ok"
        } catch (broken: Broken) {
            "broken: ${broken.message}"
        }
        println(answer)
        System.out.flush()
    }
}
