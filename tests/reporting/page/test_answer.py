"""The top of a report: question, two bold lines, one table of contrasts, and the caveats that matter most."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from reporting_helpers import make_clean_errors, make_results, make_study, make_untrained

from harness.reporting.answer_lines import write_answer_lines
from harness.reporting.formatting import format_points
from harness.reporting.page.report import render_report
from harness.reporting.verdicts.decision import decide_contrasts

MOST_WORDS = 900
REPORTS = Path(__file__).resolve().parents[3] / "reports"
FIGURES = ("depth", "costs", "effects", "curves", "layers", "gradients")
DIFFERENCE = {"kind": "difference", "a": "cifar-resnet8-w8", "b": "cifar-plain8-w8"}


def render(results, figures=FIGURES):
    return render_report(results, decide_contrasts(results), figures).replace("\N{NO-BREAK SPACE}", " ")


def unfold(page):
    """Return what a reader sees of a page before unfolding anything."""
    folded = re.compile(r"<details>(?:(?!<details>).)*?</details>", flags=re.S)
    while folded.search(page):
        page = folded.sub("", page)
    return page


def count_words(page):
    """Count the words that a reader sees: also those in tables, without the addresses of images and links."""
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)|\]\([^)]*\)|<[^>]*>", " ", unfold(page))
    return sum(any(map(str.isalnum, word)) for word in re.split(r"[\s\N{NO-BREAK SPACE}]+", text))


def find_rows(page, start):
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in page.splitlines() if start in line]


def test_count_words_leaves_out_folded_parts_images_and_addresses():
    page = "# one\n\n![no](x.svg)\n\n| two | – |\n\n[three](y)\n<details><summary>no</summary>\nno\n</details>\nfour."
    assert count_words(page) == 4


@pytest.mark.parametrize("page", sorted(REPORTS.rglob("README.md")), ids=lambda path: path.parent.name)
def test_committed_report_has_few_words(page):
    if page.parent == REPORTS:
        pytest.skip("the index grows with the number of reports")
    assert count_words(page.read_text()) <= MOST_WORDS


def test_report_of_the_quickstart_has_few_words(quickstart):
    assert 150 < count_words(render(quickstart)) <= MOST_WORDS


def test_report_of_many_contrasts_and_caveats_has_few_words():
    names = [f"cifar-{kind}{depth}-w8" for kind in ("plain", "resnet") for depth in (8, 20, 32)]
    contrasts = [
        {"kind": "difference", "a": a, "b": b, "metric": metric}
        for a in names
        for b in names
        for metric in ("test/error", "train/error")
        if a < b
    ]
    contrasts += [{"kind": "degradation", "shallow": 8, "deep": d, "margin": 0.5} for d in (20, 32)]
    study = make_study(contrasts=contrasts[::-1], seeds=list(range(8)))
    results = make_results(study, diverged=[(name, 3) for name in names], missing=[(names[0], 5)])
    page = render(results)
    assert count_words(page) <= MOST_WORDS
    assert "27 more contrasts are under Details." in page


def test_page_begins_with_question_two_bold_lines_and_the_table(quickstart):
    blocks = render(quickstart).split("\n\n")
    (verdict,) = decide_contrasts(quickstart)
    assert blocks[0] == "# quickstart"
    assert blocks[1] == quickstart.study.experiment.question
    assert blocks[2] == f"**{verdict.answer}**" and blocks[3] == f"**{verdict.certainty}**"
    assert blocks[4].startswith("| Component | Outcome | Effect in points, [95 % interval] | p | Seeds")
    assert len(blocks[4].splitlines()) == 2 + 1 + 3


def test_table_names_outcome_both_errors_p_at_its_floor_and_seeds(quickstart):
    page = render(quickstart)
    (verdict,) = decide_contrasts(quickstart)
    row = find_rows(page, "| residual, depth 32")[0]
    effects = [format_points(test.effect) for test in verdict.components[1].tests]
    assert row[1] == "not worse (&lt; 0.5)"
    clean, online = row[2].split("<br>")
    assert clean.startswith(f"clean {effects[0]} [") and online.startswith(f"online {effects[1]} [")
    assert row[3:] == ["1/256", "8 of 8"]


def test_seeds_on_the_claimed_side_are_those_of_the_error_with_fewest():
    study = make_study()
    errors = make_clean_errors(study, plain32=20.0)
    errors["cifar-plain32-w8"][2] = errors["cifar-plain8-w8"][2]
    row = find_rows(render(make_results(study, errors)), "| plain, depth 32")[0]
    assert row[-1] == "7 of 8"


def test_an_effect_that_was_not_established_is_called_undecided_and_never_better():
    study = make_study(contrasts=[{**DIFFERENCE, "metric": "test/error"}])
    same = {v.name: [1.0 + 0.1 * (seed % 3) for seed in range(8)] for v in study.variants}
    same["cifar-resnet8-w8"] = [value + (0.1 if i % 2 else -0.2) for i, value in enumerate(same["cifar-resnet8-w8"])]
    page = render(make_results(study, test_errors=same))
    assert find_rows(page, "| cifar-resnet8-w8 −")[0][1] == "undecided"
    assert not re.search(r"\bbetter\b", unfold(page))


def test_a_two_sided_difference_shows_its_two_sided_p_at_the_floor():
    study = make_study(contrasts=[{**DIFFERENCE, "side": "two-sided"}])
    errors = {v.name: [5.0] * 8 for v in study.variants} | {"cifar-resnet8-w8": [1.0 + 0.1 * i for i in range(8)]}
    row = find_rows(render(make_results(study, test_errors=errors)), "| cifar-resnet8-w8 −")[0]
    assert row[3] == "1/128"


def test_components_of_an_untrainable_network_claim_nothing_in_the_table():
    page = render(make_untrained(range(10)))
    plain, residual, both = (
        find_rows(page, f"| {name}")[0] for name in ("plain, depth", "residual, depth", "plain ch")
    )
    assert plain[1:] == ["untrainable", "clean +88.91 [+88.86 to +88.96]<br>online +88.91 [+88.86 to +88.96]", "–", "–"]
    assert (both[1], both[3:]) == ("untrainable", ["–", "–"])
    assert (residual[1], residual[4]) == ("not worse (&lt; 0.5)", "10 of 10")


def test_verdict_on_an_untrainable_network_has_no_p_by_holm():
    degradation = {"kind": "degradation", "shallow": 8, "margin": 0.5}
    results = make_untrained(range(10), contrasts=[{**degradation, "deep": 20}, {**degradation, "deep": 32}])
    page = render(results)
    contradicted, undecided = find_rows(page, "| **Depth degradation")
    assert "Holm's method corrects the 2 verdicts: Depth degradation from depth 8 to 20, adjusted p = 0.00781." in page
    # 1/1,024 of one of four ways to contradict, and two verdicts.
    assert contradicted[1:] == ["**contradicted**", "", "0.00781 (Holm)"]
    assert undecided[1:] == ["**undecided**"]


def test_verdict_with_stages_shows_the_level_by_holm_in_place_of_p():
    decide = {"first": 8, "step": 4, "most": 12}
    metrics = ("test/error", "train/error_clean")
    study = make_study(contrasts=[{**DIFFERENCE, "metric": m} for m in metrics], decide=decide)
    errors = {v.name: [5.0] * 12 for v in study.variants} | {"cifar-resnet8-w8": [1.0 + 0.1 * i for i in range(12)]}
    page = render(make_results(study, errors, test_errors=errors))
    assert [row[3] for row in find_rows(page, "| **T")] == ["level 0.025 (Holm)", "level 0.025 (Holm)"]
    assert "this one is decided at the level 0.025 of all stages." in page


def test_a_reason_that_several_contrasts_share_is_said_once(quickstart):
    reason = "Seven images are more than two seeds differ."
    degradation = {"kind": "degradation", "shallow": 8, "margin": 0.5, "margin_reason": reason}
    results = make_results(make_study(contrasts=[{**degradation, "deep": depth} for depth in (20, 32)]))
    assert render(results).count(reason) == 1


def test_a_caveat_of_all_contrasts_of_a_kind_names_none_of_them():
    degradation = {"kind": "degradation", "shallow": 8, "deep": 32, "margin": 1.0, "margin_reason": "Large."}
    differences = [
        {**DIFFERENCE, "b": name, "margin_reason": "Small."} for name in ("cifar-plain8-w8", "cifar-plain20-w8")
    ]
    page = render(make_results(make_study(contrasts=[*differences, degradation])))
    lines = [line for line in page.splitlines() if line.startswith("- ") and ("Small." in line or "Large." in line)]
    assert sorted(lines) == [
        "- Depth degradation from depth 8 to 32: The margin is 1 point: Large.",
        "- The smallest effect of interest is 0.5 points (it plans seeds; the test is against zero): Small.",
    ]


def test_no_caveat_is_said_twice_in_a_report():
    page = render(make_untrained(range(10)))
    conclusion, _, rest = page.partition("<details><summary>Contrasts in full</summary>")[2].partition("\n| Component")
    assert conclusion.count("is untrainable under this recipe (") == 1
    assert "is untrainable under this recipe (" not in rest
    limitations = page.partition("<summary>Limitations</summary>")[2]
    shown = [line for line in page.partition("## Figures")[0].splitlines() if line.startswith("- ")]
    assert len(shown) == 2
    assert not [line for line in shown if line in limitations]


def test_caveats_of_the_verdict_come_before_general_ones(quickstart):
    def list_caveats(page):
        return [line for line in page.partition("## Figures")[0].splitlines() if line.startswith("- ")]

    (first, second) = list_caveats(render(quickstart))
    assert "No reason is given for the margin" in first and "one budget of 10 epochs" in second
    contrast = quickstart.study.experiment.contrasts[0].model_copy(update={"margin_reason": "Half a point is *much*."})
    experiment = quickstart.study.experiment.model_copy(update={"contrasts": (contrast,)})
    with_reason = replace(quickstart, study=quickstart.study.replace(experiment=experiment))
    page = render(with_reason)
    assert not any("No reason" in line for line in list_caveats(page))
    assert any(r"Half a point is \*much\*." in line for line in list_caveats(page))
    assert "The margin of 0.5 points is 7.2 training images." in page


def test_no_more_than_three_caveats_stand_beside_the_verdict():
    results = make_results(
        make_study(), diverged=[("cifar-plain32-w8", 12)], missing=[("cifar-resnet8-w8", 13), ("cifar-plain8-w8", 14)]
    )
    top = render(results).partition("## Figures")[0]
    assert (
        2 <= len([line for line in top.splitlines() if line.startswith("- ") and "under Limitations" not in line]) <= 3
    )


def test_second_line_of_several_verdicts_names_the_budget_once():
    contrasts = [
        {**DIFFERENCE, "b": "cifar-plain20-w8"},
        {"kind": "degradation", "shallow": 8, "deep": 32, "margin": 0.5},
    ]
    results = make_untrained(range(10), contrasts=contrasts)
    certainty = write_answer_lines(results, decide_contrasts(results)).certainty
    assert certainty.count("within this budget (10 epochs) on digits") == 1
    assert certainty.endswith(
        " Depth degradation from depth 8 to 32 – undecided: 10 paired seeds, and more seeds would not decide it."
    )


def test_answer_lines_of_several_verdicts(quickstart):
    (verdict,) = decide_contrasts(quickstart)
    other = replace(verdict, state="undecided", title="Depth", answer="Not decided.", certainty="Unsure.")
    assert write_answer_lines(quickstart, [verdict, other]) == (
        f"{verdict.answer} Not decided.",
        f"{verdict.title} – s{verdict.certainty[1:]} Depth – unsure.",
    )
    third = replace(verdict, answer="Yes again.", certainty="Sure.")
    counts = "Of 3 contrasts, 2 are supported and 1 is undecided"
    assert write_answer_lines(quickstart, [verdict, third, other]) == (
        f"{verdict.answer} Yes again. Not decided.",
        f"{counts} within this budget (10 epochs) on digits: 8 paired seeds.",
    )
    many = write_answer_lines(quickstart, [verdict, verdict, third, third, other])
    assert many.found == "Of 5 contrasts, 4 are supported and 1 is undecided."
    none = write_answer_lines(quickstart, [])
    assert none.found == "No contrast is declared, so there is no verdict."
    assert "exploratory" in none.certainty and "digits" in none.certainty
