package zk

import (
	"cmp"
	"fmt"
	"slices"
)

// multiHeader precedes every operation and result of a multi; one with done set
// ends it.
type multiHeader struct {
	op   Op
	done bool
	err  Err
}

func (h *multiHeader) encode(e *Encoder) {
	e.Int(int32(h.op))
	e.Bool(h.done)
	e.Int(int32(h.err))
}

func (h *multiHeader) decode(d *Decoder) {
	h.op = Op(d.Int())
	h.done = d.Bool()
	h.err = Err(d.Int())
}

// endOfMulti is the header that ends requests and responses.
var endOfMulti = multiHeader{op: OpError, done: true, err: -1}

// MultiRequest is the body of OpMulti, which does all or nothing, and of
// OpMultiRead, whose operations fail one by one.
type MultiRequest struct {
	// Kind is the operation, zero for OpMulti. It is not part of the body.
	Kind Op
	// Ops are creates of every kind, deletes, setData and checks for OpMulti;
	// getData and getChildren without watches for OpMultiRead.
	Ops []Request
}

// Op implements Request.
func (r *MultiRequest) Op() Op { return cmp.Or(r.Kind, OpMulti) }

var (
	writesInMulti = []Op{OpCreate, OpCreate2, OpCreateContainer, OpCreateTTL, OpDelete, OpSetData, OpCheck}
	readsInMulti  = []Op{OpGetData, OpGetChildren}
)

// Encode implements Record.
func (r *MultiRequest) Encode(e *Encoder) {
	for _, op := range r.Ops {
		h := multiHeader{op: op.Op(), err: -1}
		h.encode(e)
		op.Encode(e)
	}
	endOfMulti.encode(e)
}

// Decode implements Record; Kind must be set. The operations come back as
// ZooKeeper takes them: what a create makes follows from its flags, and reads set
// no watches. It refuses flags that mean nothing, and reads beside writes, but not
// reads alone in an OpMulti or writes alone in an OpMultiRead.
func (r *MultiRequest) Decode(d *Decoder) {
	r.Ops = nil
	var allowed []Op
	for {
		var h multiHeader
		if h.decode(d); d.err != nil || h.done {
			return
		}
		kind := writesInMulti
		if slices.Contains(readsInMulti, h.op) {
			kind = readsInMulti
		}
		if !slices.Contains(kind, h.op) {
			d.fail("operation %v is not allowed in a multi", h.op)
			return
		}
		op := NewRequest(h.op)
		op.Decode(d)
		if d.reader != asPeer {
			inMulti(d, op)
		}
		if allowed == nil {
			allowed = kind
		}
		if !slices.Contains(allowed, h.op) {
			d.fail("operation %v is not allowed beside %v", h.op, r.Ops[0].Op())
		}
		if d.err != nil {
			return
		}
		r.Ops = append(r.Ops, op)
	}
}

// inMulti makes of an operation what ZooKeeper makes of it in a multi.
func inMulti(d *Decoder, op Request) {
	switch b := op.(type) {
	case *GetDataRequest:
		b.Watch = false
	case *GetChildrenRequest:
		b.Watch = false
	case *CreateRequest:
		b.inMulti(d)
	}
}

func (r *CreateRequest) inMulti(d *Decoder) {
	switch {
	case d.err != nil:
		return
	case r.Kind == OpCreateTTL && !r.Flags.TTL():
		r.Kind, r.TTL = OpCreate, 0 // flags that mean nothing are found later
	case r.Kind == OpCreateTTL:
	case !r.Flags.Valid():
		d.fail("create flags %d are not in 0..6", r.Flags)
	case r.ACL == nil:
		d.err = fmt.Errorf("at byte %d: ACL of %v: %w", d.off, r.Kind, ErrNull)
	case r.Flags.TTL():
		d.fail("create flags %d need a time to live", r.Flags)
	}
	if r.Flags == Container {
		r.Kind = OpCreateContainer
	}
}

// OpResult is the outcome of one operation of a multi.
type OpResult struct {
	// Op is the operation; OpError when it failed or was rolled back. Results
	// of OpCreateContainer and OpCreateTTL say OpCreate2, as on the wire.
	Op Op
	// Err is OK, or why the operation failed: in an OpMulti, operations before
	// the one at fault have OK and those after it ErrRuntimeInconsistency.
	Err Err
	// Path is set for creates, Stat for creates (except OpCreate), setData and
	// getData, Data for getData, Children for getChildren.
	Path     string
	Stat     Stat
	Data     []byte
	Children []string
}

// MultiResponse answers OpMulti and OpMultiRead. The reply's header says OK even
// when the multi failed.
type MultiResponse struct{ Results []OpResult }

// Fault returns the first operation that failed by itself, and its error.
func (r *MultiResponse) Fault() (index int, err error) {
	for i := range r.Results {
		if e := r.Results[i].Err; e != OK {
			return i, e
		}
	}
	return -1, nil
}

// Fail fills r as ZooKeeper answers an OpMulti of n operations of which that at
// index failed with err.
func (r *MultiResponse) Fail(n, index int, err Err) {
	r.Results = make([]OpResult, n)
	for i := range r.Results {
		res := OpResult{Op: OpError}
		switch {
		case i == index:
			res.Err = err
		case i > index:
			res.Err = ErrRuntimeInconsistency
		}
		r.Results[i] = res
	}
}

// Encode implements Record.
func (r *MultiResponse) Encode(e *Encoder) {
	for i := range r.Results {
		res := &r.Results[i]
		h := multiHeader{op: res.Op}
		switch res.Op {
		case OpError:
			h.err = res.Err
		case OpCreateContainer, OpCreateTTL:
			h.op = OpCreate2
		}
		h.encode(e)
		if body := res.body(); body != nil {
			body.Encode(e)
		}
	}
	endOfMulti.encode(e)
}

// Decode implements Record.
func (r *MultiResponse) Decode(d *Decoder) {
	r.Results = nil
	for {
		var h multiHeader
		if h.decode(d); d.err != nil || h.done {
			return
		}
		res := OpResult{Op: h.op}
		res.decode(d)
		if d.err != nil {
			return
		}
		r.Results = append(r.Results, res)
	}
}

// body returns the record that follows the result's header, nil for none.
func (res *OpResult) body() Record {
	switch res.Op {
	case OpCreate:
		return &CreateResponse{Path: res.Path}
	case OpCreate2, OpCreateContainer, OpCreateTTL:
		return &Create2Response{Path: res.Path, Stat: res.Stat}
	case OpSetData:
		return &StatResponse{Stat: res.Stat}
	case OpGetData:
		return &GetDataResponse{Data: res.Data, Stat: res.Stat}
	case OpGetChildren:
		return &GetChildrenResponse{Children: res.Children}
	case OpError:
		return &ErrorResponse{Err: res.Err}
	}
	return nil
}

// decode reads the record that follows the result's header.
func (res *OpResult) decode(d *Decoder) {
	switch res.Op {
	case OpCreate:
		res.Path = d.String()
	case OpCreate2, OpCreateContainer, OpCreateTTL:
		res.Path = d.String()
		res.Stat.Decode(d)
	case OpSetData:
		res.Stat.Decode(d)
	case OpGetData:
		res.Data = d.Buffer()
		res.Stat.Decode(d)
	case OpGetChildren:
		res.Children = d.Strings()
	case OpError:
		res.Err = Err(d.Int())
	case OpDelete, OpCheck:
	default:
		d.fail("result of operation %v is not allowed in a multi", res.Op)
	}
}
