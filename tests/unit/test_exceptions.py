from __future__ import annotations

import inspect
import pickle
import re

import pytest

from airflow_provider_oss_resume import exceptions
from airflow_provider_oss_resume.exceptions import ErrorDetails, NoSuchUploadError, OSSResumeError, ServiceError

CLASSES = {
    name: one
    for name, one in vars(exceptions).items()
    if inspect.isclass(one) and issubclass(one, Exception) and one.__module__ == exceptions.__name__
}
DETAILS = ErrorDetails(404, "NoSuchUpload", "Gone.", "5C3D", "host", "0042-00000104", "ListParts", "b/k")


def drawn() -> dict[str, str]:
    """Return each class of the tree in the module's docstring with the class it hangs from."""
    parents: dict[int, str] = {}
    found = {}
    for line in (exceptions.__doc__ or "").splitlines():
        if match := re.match(r" {4}([ │├└─]*)([A-Z]\w+)(?: {2}|$)", line):
            depth = len(match[1]) // 4
            parents[depth] = match[2]
            found[match[2]] = parents.get(depth - 1, "Exception")
    return found


def test_the_tree_in_the_docstring_is_the_tree_of_the_code() -> None:
    assert drawn() == {name: one.__bases__[0].__name__ for name, one in CLASSES.items()}


@pytest.mark.parametrize("one", CLASSES.values(), ids=CLASSES)
def test_every_error_is_ours_and_says_whom_it_concerns(one: type[Exception]) -> None:
    assert issubclass(one, OSSResumeError)
    assert one.__doc__


def test_only_what_a_person_must_change_is_permanent() -> None:
    permanent = {name for name, one in CLASSES.items() if issubclass(one, OSSResumeError) and one.permanent}
    assert permanent == {
        "AccessDeniedError",
        "AlreadyExistsError",
        "CallbackFailedError",
        "ConfigurationError",
        "InvalidRequestError",
        "NoRangesError",
        "NotFoundError",
        "PlanError",
        "UnexpectedReplyError",
    }


def test_a_service_error_says_what_happened_where_and_what_to_do() -> None:
    error = ServiceError(DETAILS, "Start anew")
    assert str(error) == (
        "ListParts b/k failed with NoSuchUpload: Gone. (HTTP 404, EC 0042-00000104, request id 5C3D). Start anew"
    )


def test_details_leave_out_what_is_not_known() -> None:
    assert str(ErrorDetails(502, "HTTP502")) == "request failed with HTTP502 (HTTP 502)"


def test_a_service_error_survives_pickling() -> None:
    error = NoSuchUploadError(DETAILS, "Start anew")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - made in this very line
    assert (type(copy), str(copy), copy.details) == (NoSuchUploadError, str(error), DETAILS)
