"""Fair shares of the queue: each account's place in it, and how many of its jobs run at once.

A submission gives its job a tag: the end of the account's former job in the queue's virtual time,
or the present where that is later (start-time fair queueing, Goyal, Vin and Cheng 1996). Who has
submitted a thousand jobs has tags far ahead; another account's first job comes before most of them.

Of an account's waiting jobs only as many are open to claims as it may run beside those that run.
The others are held, so that a claim never looks at more than it can take.
"""

from sqlalchemy import ColumnElement, func, insert, select, update

from database import db
from mod_job.models import Job, JobClock, JobShare, JobState

IN_ORDER = (Job.priority, Job.share_tag, Job.id)
IN_REVERSE = tuple(column.desc() for column in IN_ORDER)


def locked(account_id: int, namespace: str, *, most_running: int | None = None) -> JobShare:
    """The account's share of a queue, locked until the end of this unit of work, made if need be.

    Whoever changes a job's state locks its account's share first, then the job: two changes never
    wait for each other crosswise. `most_running`: how many jobs of it may run at once from now on.
    """
    share = _locked(account_id, namespace)
    if share is None:
        # Only then: an INSERT that finds the row there would share its lock with another one, and
        # both would wait for the other to let go.
        db.session.execute(
            insert(JobShare)
            .prefix_with("OR IGNORE", dialect="sqlite")
            .prefix_with("IGNORE", dialect="mysql")
            .prefix_with("IGNORE", dialect="mariadb")
            .values(
                account_id=account_id,
                namespace=namespace,
                finish_tag=0.0,
                queued=0,
                running=0,
                most_running=1,
            )
        )
        share = _locked(account_id, namespace)
    if share is None:
        raise RuntimeError("the share that was made is gone")
    if most_running is not None:
        share.most_running = most_running
    return share


def _locked(account_id: int, namespace: str) -> JobShare | None:
    key = (account_id, namespace)
    return db.session.get(JobShare, key, with_for_update=True, populate_existing=True)


def tag_for(share: JobShare) -> float:
    """The tag of the next job of a locked share, which moves on by one."""
    now: float = db.session.scalar(select(JobClock.now_tag)) or 0.0
    tag = max(now, share.finish_tag)
    share.finish_tag = tag + 1.0
    return tag


def give_back(share: JobShare, job: Job) -> None:
    """Let the account's jobs behind one that never ran move up, as if it had not been submitted.

    Only those that follow it without a gap: one behind a gap has the tag of its own submission.
    """
    behind = db.session.execute(
        select(Job.id, Job.share_tag)
        .where(*_waiting(share), Job.share_tag > job.share_tag)
        .order_by(Job.share_tag)
    ).all()
    end = job.share_tag + 1.0
    moved = []
    for job_id, tag in behind:
        if tag != end:
            break
        moved.append(job_id)
        end += 1.0
    if moved:
        db.session.execute(
            update(Job).where(Job.id.in_(moved)).values(share_tag=Job.share_tag - 1.0)
        )
    if share.finish_tag == end:
        share.finish_tag -= 1.0


def advance(tag: float) -> None:
    """Let the queue's virtual time be no earlier than the tag of a job that begins."""
    db.session.execute(
        update(JobClock)
        .where(JobClock.now_tag < tag)
        .values(now_tag=tag)
        .execution_options(synchronize_session=False)
    )


def level(share: JobShare) -> None:
    """Open as many waiting jobs of a locked share as it may have, the first ones in order."""
    db.session.flush()
    room = max(0, share.most_running - share.running)
    waiting = _waiting(share)
    opened: int = db.session.scalar(select(func.count()).where(*waiting, ~Job.is_held)) or 0
    if opened < room:
        _set_held(share, False, room - opened, IN_ORDER)
    elif opened > room:
        _set_held(share, True, opened - room, IN_REVERSE)
    _let_the_first_pass(share)


def _let_the_first_pass(share: JobShare) -> None:
    """Exchange held jobs with open ones behind them, after a job was submitted ahead of others."""
    waiting = _waiting(share)
    while True:
        first = db.session.execute(
            select(Job.id, *IN_ORDER).where(*waiting, Job.is_held).order_by(*IN_ORDER).limit(1)
        ).first()
        last = db.session.execute(
            select(Job.id, *IN_ORDER).where(*waiting, ~Job.is_held).order_by(*IN_REVERSE).limit(1)
        ).first()
        if first is None or last is None or tuple(first)[1:] > tuple(last)[1:]:
            return
        for job_id, is_held in ((first[0], False), (last[0], True)):
            db.session.execute(update(Job).where(Job.id == job_id).values(is_held=is_held))


def _set_held(share: JobShare, is_held: bool, most: int, order: tuple[object, ...]) -> None:
    ids = db.session.scalars(
        select(Job.id)
        .where(*_waiting(share), ~Job.is_held if is_held else Job.is_held)
        .order_by(*order)  # type: ignore[arg-type]  # columns, up or down
        .limit(most)
    ).all()
    if ids:
        db.session.execute(update(Job).where(Job.id.in_(ids)).values(is_held=is_held))


def _waiting(share: JobShare) -> tuple[ColumnElement[bool], ...]:
    return (
        Job.account_id == share.account_id,
        Job.namespace == share.namespace,
        Job.state == JobState.queued,
    )
