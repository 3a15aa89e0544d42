package zk

// Record is one jute record.
type Record interface {
	// Encode appends the record.
	Encode(e *Encoder)
	// Decode reads the record. Errors stick to d; the record's content is then
	// unspecified. []byte fields alias what d reads.
	Decode(d *Decoder)
}

// Request is the body of a client's request.
type Request interface {
	Record
	// Op returns the operation for the request's header.
	Op() Op
}

// Marshal appends r to dst.
func Marshal(dst []byte, r Record) []byte {
	e := Encoder{buf: dst}
	r.Encode(&e)
	return e.buf
}

// Unmarshal reads r from src; bytes left over are ignored, as ZooKeeper does.
func Unmarshal(src []byte, r Record) error {
	d := Decoder{src: src}
	r.Decode(&d)
	return d.err
}

// NewRequest returns an empty request body for op, nil for operations that no
// client may send (among them OpCreateSession).
func NewRequest(op Op) Request {
	switch op {
	case OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL:
		return &CreateRequest{Kind: op}
	case OpDelete:
		return &DeleteRequest{}
	case OpExists:
		return &ExistsRequest{}
	case OpGetData:
		return &GetDataRequest{}
	case OpSetData:
		return &SetDataRequest{}
	case OpGetACL:
		return &GetACLRequest{}
	case OpSetACL:
		return &SetACLRequest{}
	case OpGetChildren:
		return &GetChildrenRequest{}
	case OpGetChildren2:
		return &GetChildren2Request{}
	case OpSync:
		return &SyncRequest{}
	case OpCheck:
		return &CheckRequest{}
	case OpMulti, OpMultiRead:
		return &MultiRequest{Kind: op}
	case OpPing:
		return PingRequest{}
	case OpCloseSession:
		return CloseRequest{}
	case OpWhoAmI:
		return WhoAmIRequest{}
	}
	return newRareRequest(op)
}

// newRareRequest is NewRequest for what ordinary clients seldom send.
func newRareRequest(op Op) Request {
	switch op {
	case OpDeleteContainer:
		return &DeleteContainerRequest{}
	case OpReconfig:
		return &ReconfigRequest{}
	case OpCheckWatches:
		return &CheckWatchesRequest{}
	case OpRemoveWatches:
		return &RemoveWatchesRequest{}
	case OpAuth:
		return &AuthRequest{}
	case OpSetWatches:
		return &SetWatchesRequest{}
	case OpSetWatches2:
		return &SetWatches2Request{}
	case OpSASL:
		return &SASLRequest{}
	case OpGetEphemerals:
		return &GetEphemeralsRequest{}
	case OpGetAllChildrenNumber:
		return &GetAllChildrenNumberRequest{}
	case OpAddWatch:
		return &AddWatchRequest{}
	}
	return nil
}

// NewResponse returns an empty body for the reply to op, nil where the reply is
// a header only or op is unknown.
func NewResponse(op Op) Record {
	switch op {
	case OpCreate:
		return &CreateResponse{}
	case OpCreate2, OpCreateContainer, OpCreateTTL:
		return &Create2Response{}
	case OpExists, OpSetData, OpSetACL:
		return &StatResponse{}
	case OpGetData, OpReconfig:
		return &GetDataResponse{}
	case OpGetACL:
		return &GetACLResponse{}
	case OpGetChildren:
		return &GetChildrenResponse{}
	case OpGetChildren2:
		return &GetChildren2Response{}
	case OpSync:
		return &SyncResponse{}
	case OpMulti, OpMultiRead:
		return &MultiResponse{}
	case OpSASL:
		return &SASLResponse{}
	case OpGetEphemerals:
		return &GetEphemeralsResponse{}
	case OpGetAllChildrenNumber:
		return &GetAllChildrenNumberResponse{}
	case OpAddWatch:
		return &ErrorResponse{}
	case OpWhoAmI:
		return &WhoAmIResponse{}
	}
	return nil
}
