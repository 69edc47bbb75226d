"""The guide for instructors holds: its section on containment names tests, and its plans name sections that exist."""

import re
from pathlib import Path

from tools.grading import options

ROOT = Path(__file__).resolve().parents[2]
#: How each line of the lists starts, and the tests that hold it.
PROMISES = {
    "A link is not followed": [
        "test_a_folder_that_is_a_link_to_another_students_earns_nothing",
        "test_a_link_further_down_is_not_followed_and_is_remarked",
        "test_a_link_to_a_notebook_is_not_followed",
        "test_a_link_that_takes_a_folders_place_after_the_look_is_not_followed",
    ],
    "Two students whose names look alike": [
        "test_names_that_are_alike_are_remarked",
        "test_a_folder_and_a_notebook_of_one_name_are_remarked",
        "test_file_names_of_submissions_have_enough_digits_not_to_collide",
    ],
    "Reading a notebook takes": ["test_a_notebook_of_hundreds_of_thousands_of_parts_costs_the_grader_itself_nothing"],
    "A name, a remark or a result": [
        "test_what_is_not_fit_to_print_becomes_a_question_mark",
        "test_a_remark_that_no_file_can_hold_leaves_the_table_of_the_class",
        "test_one_row_that_cannot_be_written_is_that_rows_problem",
        "test_remarks_that_are_not_a_list_have_a_reason_that_can_be_read",
    ],
    "A cell of `grades.csv` is not a formula": [
        "test_a_formula_is_a_text",
        "test_a_spreadsheet_program_evaluates_nothing_in_the_table",
    ],
    "A feedback page runs no script": [
        "test_an_attack_on_a_page_reaches_nobody",
        "test_a_page_of_a_graded_notebook_shows_points_and_code_and_reaches_nobody",
        "test_links_lead_to_other_parts_of_the_page_only",
    ],
    "No notebook gets more than the points": ["test_points_stay_within_those_of_the_set"],
    "You can stop grading at any moment": [
        "test_a_stop_keeps_finished_results_ends_all_children_and_the_next_run_goes_on",
        "test_a_notebook_that_nests_folders_takes_no_run_and_leaves_nothing",
        "test_what_a_run_that_was_killed_left_is_removed_by_the_next",
    ],
    "A notebook has no network": ["test_a_notebook_sees_no_network_no_neighbor_and_writes_nowhere_else"],
    "It does not see what others handed in": [
        "test_a_notebook_sees_no_network_no_neighbor_and_writes_nowhere_else",
        "test_home_is_not_there",
        "test_a_class_or_course_under_a_folder_of_the_system_is_hidden",
        "test_a_class_or_its_grades_inside_what_notebooks_read_are_refused",
    ],
    "It sees the system's programs": ["test_what_not_every_user_may_read_is_not_there"],
    "It writes to two folders in memory": [
        "test_only_folders_in_memory_of_limited_size_can_be_written",
        "test_folders_in_memory_count_as_memory",
        "test_a_sandboxed_notebook_meets_a_full_disk_in_every_folder",
    ],
    "No setting of the kernel": ["test_no_setting_of_the_kernel_opens_for_writing"],
    "With bubblewrap 0.8": ["test_a_notebook_makes_no_namespaces_of_its_own"],
    "With `systemd-run`": [
        "test_a_control_group_is_used_where_the_kernel_keeps_to_it",
        "test_a_control_group_holds_memory_however_it_is_taken",
    ],
    "Without `systemd-run`": [
        "test_memory_is_limited_however_it_is_taken",
        "test_with_bubblewrap_the_first_line_says_how_memory_is_held",
    ],
    "`grade` starts with `NO WALLS`": [
        "test_without_bubblewrap_the_first_line_says_that_nothing_holds",
        "test_a_stop_keeps_finished_results_ends_all_children_and_the_next_run_goes_on",
    ],
    "Limits on time, memory, processes and disk": [
        "test_time_is_limited",
        "test_memory_is_limited_however_it_is_taken",
        "test_processes_are_limited_and_none_survives",
        "test_processes_that_cut_themselves_loose_are_counted_and_ended",
        "test_what_is_written_is_limited",
        "test_files_that_are_removed_and_still_open_count",
    ],
    "On macOS": [],  # what is not promised there
    "`grade` warns you": ["test_root_is_warned"],
}


def test_each_line_on_containment_names_tests_that_exist():
    guide = (ROOT / "book" / "instructors.md").read_text(encoding="utf-8")
    section = guide.partition("### What is contained, and what is not")[2].partition("\n## ")[0]
    lines = re.findall(r"^- (.+)$", section, re.MULTILINE)
    assert [next((start for start in PROMISES if line.startswith(start)), line) for line in lines] == list(PROMISES)
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "grading").glob("test_*.py"))
    defined = set(re.findall(r"^def (test_\w+)", tests, re.MULTILINE))
    assert [name for names in PROMISES.values() for name in names if name not in defined] == []


def test_sections_that_the_plans_name_are_in_the_notebooks():
    guide = (ROOT / "book" / "instructors.md").read_text(encoding="utf-8")
    plans = guide.partition("\n## Plans\n")[2].partition("\n## ")[0]
    named = re.findall(r'"([^"]+)"', plans)
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.py")]
    headings = set(re.findall(r"^# ## (.+)$", "\n".join(texts), re.MULTILINE))
    assert len(named) > 5
    assert [name for name in named if name not in headings] == []


def test_the_guides_table_has_the_defaults_of_the_options():
    guide = (ROOT / "book" / "instructors.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(--[\w-]+) ([\d.]+)`", guide, re.MULTILINE)
    assert told == [(name, f"{default:g}") for name, _, default, *_ in options.NUMBERS]
