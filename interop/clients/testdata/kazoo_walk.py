"""kazoo: nodes, watches, transactions, sessions, ACLs and two recipes."""
import sys
import threading

from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError, NoAuthError, NodeExistsError, NoNodeError, NotEmptyError, RolledBackError
from kazoo.security import make_digest_acl

hosts, root = sys.argv[1:]
zk = KazooClient(hosts=hosts)
zk.start(20)
zk.ensure_path(root)

assert zk.create(root + "/a", b"one") == root + "/a"
try:
    zk.create(root + "/a")
    raise SystemExit("created twice")
except NodeExistsError:
    pass
data, stat = zk.get(root + "/a")
assert data == b"one" and stat.version == 0 and stat.czxid == stat.mzxid and stat.dataLength == 3, stat
seen = threading.Event()
events = []


def watch(e):
    events.append((e.type, e.path))
    seen.set()


zk.get(root + "/a", watch=watch)
assert zk.set(root + "/a", b"two", version=0).version == 1
assert seen.wait(10) and events == [("CHANGED", root + "/a")], events
try:
    zk.set(root + "/a", b"three", version=0)
    raise SystemExit("a stale version won")
except BadVersionError:
    pass
try:
    zk.get(root + "/none")
    raise SystemExit("got what is not there")
except NoNodeError:
    pass
assert zk.exists(root + "/none") is None

names = [zk.create(root + "/q/item-", b"", sequence=True, makepath=True) for _ in range(3)]
assert names == [root + "/q/item-%010d" % i for i in range(3)], names
try:
    zk.delete(root + "/q")
    raise SystemExit("deleted a parent")
except NotEmptyError:
    pass

t = zk.transaction()
t.create(root + "/t1", b"x")
t.set_data(root + "/a", b"in a transaction")
t.check(root + "/a", version=2)
t.delete(names[0])
results = t.commit()
assert results[0] == root + "/t1" and results[1].version == 2 and results[2] is True and results[3] is True, results
t = zk.transaction()
t.create(root + "/t2", b"x")
t.delete(root + "/none")
t.create(root + "/t3", b"x")
results = t.commit()
assert isinstance(results[0], RolledBackError) and isinstance(results[1], NoNodeError), results
assert zk.exists(root + "/t2") is None

other = KazooClient(hosts=hosts, auth_data=[("digest", "u:p")])
other.start(20)
other.create(root + "/eph", b"", ephemeral=True)
other.create(root + "/secret", b"s", acl=[make_digest_acl("u", "p", all=True)])
try:
    zk.get(root + "/secret")
    raise SystemExit("read a secret")
except NoAuthError:
    pass
assert zk.exists(root + "/eph").ephemeralOwner == other.client_id[0]
gone = threading.Event()
zk.exists(root + "/eph", watch=lambda e: e.type == "DELETED" and gone.set())
other.stop()
assert gone.wait(20), "the ephemeral node outlived its session"

children = threading.Event()
states = []


@zk.ChildrenWatch(root + "/q")
def on_children(c):
    states.append(sorted(c))
    if len(c) == 3:
        children.set()


zk.create(root + "/q/more", b"")
assert children.wait(10), states

third = KazooClient(hosts=hosts)
third.start(20)
lock, rival = zk.Lock(root + "/lock", "me"), third.Lock(root + "/lock", "rival")
assert lock.acquire(timeout=10)
assert rival.contenders() == ["me"]
assert not rival.acquire(blocking=False)
lock.release()
assert rival.acquire(timeout=10)
rival.release()

big = zk.create(root + "/big", b"z" * 1000000)
assert len(zk.get(big)[0]) == 1000000
third.stop()
zk.add_auth("digest", "u:p")
assert zk.get(root + "/secret")[0] == b"s"
zk.delete(root, recursive=True)
zk.stop()
zk.close()
print("all is well")
