"""``@task.oss_upload``: upload what a function wrote."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    DecoratedOperator,
    context_merge,
    determine_kwargs,
    task_decorator_factory,
)

from airflow_provider_oss_resume.exceptions import ConfigurationError
from airflow_provider_oss_resume.operators.arguments.values import is_path, renderable
from airflow_provider_oss_resume.operators.upload import ResumableUploadOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, TaskDecorator

SET_BY_THE_FUNCTION = ""


class _OSSUploadDecoratedOperator(DecoratedOperator, ResumableUploadOperator):
    """Call a function, and upload the files whose paths it returns.

    A retry calls the function again. If it writes the same bytes, the parts that the bucket holds are not sent again.

    :param python_callable: returns a path or URL, or a list of them, as ``source`` of the upload operator. They are
        not templates: a file's name may hold braces.
    :param op_args: positional arguments of the function. (templated)
    :param op_kwargs: keyword arguments of the function. (templated)
    """

    # source is not a template here: Airflow must not render what the function returns.
    template_fields: Sequence[str] = (
        *DecoratedOperator.template_fields,
        *(name for name in ResumableUploadOperator.template_fields if name != "source"),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {**DecoratedOperator.template_fields_renderers}
    custom_operator_name = "@task.oss_upload"

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if "source" in kwargs:
            raise ConfigurationError("source is what the function returns: leave it out of @task.oss_upload")
        super().__init__(
            python_callable=python_callable,
            op_args=op_args,
            op_kwargs=op_kwargs,
            source=SET_BY_THE_FUNCTION,
            **kwargs,
        )

    def make_source(self, context: Context) -> None:
        """Call the function."""
        context_merge(context, self.op_kwargs)
        arguments = determine_kwargs(self.python_callable, self.op_args, context)
        self.source = _paths(self.python_callable(*self.op_args, **arguments))


def _paths(returned: object) -> Any:
    """Return what a function returned as a source.

    :raises ConfigurationError: it is neither a path nor a list of paths.
    """
    found = list(returned) if isinstance(returned, (list, tuple)) else [returned]
    wrong = [one for one in found if not is_path(one) or one == ""]
    if wrong:
        raise ConfigurationError(
            f"the function of @task.oss_upload returned {wrong[0]!r:.60}, of type {type(wrong[0]).__name__}: "
            "return the path of a file, or a list of paths"
        )
    return renderable(returned)


def oss_upload_task(python_callable: Callable[..., Any] | None = None, **upload_arguments: Any) -> TaskDecorator:
    """Make a task of a function that returns the path, or the paths, of the files to upload.

    :param python_callable: the function; Python passes it if this is used as a decorator.
    :param upload_arguments: arguments of
        :class:`~airflow_provider_oss_resume.operators.upload.ResumableUploadOperator` without ``source``; ``key`` is
        needed.
    """
    decorator: TaskDecorator = task_decorator_factory(
        python_callable=python_callable,
        decorated_operator_class=_OSSUploadDecoratedOperator,
        **upload_arguments,
    )
    return decorator
