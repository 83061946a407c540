"""The answers about an instruction, by the names that Popek has for the questions."""

from __future__ import annotations

from enumeration.classes import Enumeration
from enumeration.language import Instruction
from enumeration.meaning import Meaning
from enumeration.runs import picked


def amended(meaning: Meaning, instruction: Instruction) -> dict[str, bool]:
    """Every answer of the amended reading, by the name of the question."""
    it = Enumeration(meaning, instruction)
    below = any(there.inexact(there.guest) for there in map(it.at, it.below))
    answers = {
        "privileged": it.privileged(),
        "control_sensitive": it.control(it.guest),
        "trap_sensitive": it.misses_traps(it.guest),
        "user_sensitive": it.user(),
        "below": it.completes_below(),
        "exact": not (it.inexact(it.guest) or below),
        "exact_user": not (it.inexact([it.host]) or below),
        "leaks": Enumeration(meaning, instruction, following=True).leaks(),
        **_behaviour(it),
        **_escalation(it),
    }
    settings = any(answers[name] for name in answers if name.startswith("config:"))
    alone = answers["mode"] or answers["location"] or settings
    answers["behaviour"] = alone or answers.pop("together")
    answers["sensitive"] = answers["control_sensitive"] or answers["behaviour"] or answers["trap_sensitive"]
    answers["theorem1"] = (answers["sensitive"] and not answers["privileged"]) or answers["below"]
    answers["theorem3"] = (answers["user_sensitive"] and not answers["privileged"]) or answers["below"]
    return answers


def literally(meaning: Meaning, instruction: Instruction) -> dict[str, bool]:
    """Every answer of the reading of 1974."""
    it = Enumeration(meaning, instruction, literal=True)
    answers = {
        "privileged": it.privileged(),
        "control_sensitive": it.control(it.guest),
        "user_sensitive": it.user(),
        "below": it.completes_below(),
        **_behaviour(it),
    }
    del answers["together"], answers["config:*"]
    answers["sensitive"] = any(value for name, value in answers.items() if name not in ("privileged", "user_sensitive", "below"))
    return answers


def under_h(meaning: Meaning, instruction: Instruction) -> dict[str, bool]:
    """The classes where H holds in every copy."""
    it = Enumeration(meaning, instruction, everywhere=True)
    found = {"control_sensitive": it.control(it.guest), "user_sensitive": it.user(), **_behaviour(it)}
    del found["together"]
    return found


def _behaviour(it: Enumeration) -> dict[str, bool]:
    alone = {f"config:{name}": it.by_setting(name, it.guest) for name in it.settings}
    return {
        "mode": it.by_mode(),
        "location": it.by_location(it.guest),
        **alone,
        "config:*": any(alone.values()) or it.by_settings(it.guest),
        "together": it.together(it.guest),
    }


def _escalation(it: Enumeration) -> dict[str, bool]:
    """What a run that completes under H does: raises the mode (beyond the guest's top, from above the real one), writes."""
    rank = {code: place for place, code in enumerate(it.order)}
    real, top = rank[it.host], rank[it.guest[-1]]
    found = dict.fromkeys(("raises_mode", "writes_control", "writes_map"), False)
    written = {"writes_control": picked(it.slots("control")), "writes_map": picked(it.slots("map"))}
    for run in it.runs:
        at = rank[it.mode(run.before)]
        if run.after is None or at > top or not it.holds(run.before):
            continue
        found["raises_mode"] |= rank[it.mode(run.after)] > (at if at <= real else top)
        for name, slots in written.items():
            found[name] |= at <= real and slots(run.before) != slots(run.after)
    return found
