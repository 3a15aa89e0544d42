package group

import "github.com/gregor-mq/gregor/wire"

// Refuse is the answer to a request that reaches no machine, with code as the
// reason: COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR,
// COORDINATOR_NOT_AVAILABLE or INVALID_GROUP_ID. While the group loads, a
// heartbeat is let pass and a sync is sent back to join, because old clients
// do not know that code there.
func Refuse(e Event, code wire.Code) Body {
	loading := code == wire.CodeCoordinatorLoadInProgress
	switch e := e.(type) {
	case Join:
		return refuseJoin(e.Member, code)
	case Sync:
		if loading {
			code = wire.CodeRebalanceInProgress
		}
		return SyncReply{Code: code}
	case Heartbeat:
		if loading {
			code = wire.CodeNone
		}
		return CodeReply{code}
	case Leave:
		return LeaveReply{Code: code}
	case Commit:
		return CommitReply{sameCode(e.Topics, code)}
	case TxnCommit:
		return CommitReply{sameCode(e.Topics, code)}
	case Fetch:
		return FetchReply{Code: code, Group: e.Group}
	case DeleteOffsets:
		return DeleteOffsetsReply{Code: code}
	case Describe:
		return DescribeReply{Code: code, Group: e.Group}
	case List:
		return ListReply{Code: code}
	}
	return CodeReply{code}
}
