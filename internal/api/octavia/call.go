package octavia

import (
	"context"

	"plimsoll/internal/store"
	"plimsoll/internal/web"
	"plimsoll/lbaas"
)

// Call carries out an operation for another API of the same process, and returns the id of the object that was made or changed; "" where
// there is none any more. Everything that holds for a request holds for it: policy, validation, quotas. Its errors are those that
// faults are made of.
func (a *API) Call(ctx context.Context, c web.Call) (id string, err error) {
	operation, ok := a.operations[c.Method+" "+c.Path]
	if !ok {
		return "", web.NoSuchPath
	}
	r, err := c.Request(ctx)
	if err != nil {
		return "", err
	}
	answer, err := operation(context.WithValue(ctx, callKey{}, &c), r)
	if err != nil {
		return "", err
	}
	return madeOf(answer), nil
}

// callOperations are the handlers of the table by method and path.
func (a *API) callOperations() map[string]web.Handler {
	operations := map[string]web.Handler{}
	for _, row := range a.table() {
		operations[row.method+" "+row.path] = a.handle(row.rule, row.arguments, row.handle)
	}
	return operations
}

type callKey struct{}

// callOf is the call that led to an operation; without one it is the zero Call, which asks for nothing more.
func callOf(ctx context.Context) *web.Call {
	if c, ok := ctx.Value(callKey{}).(*web.Call); ok {
		return c
	}
	return &web.Call{}
}

// looked lets the caller, if it is one, look at the tree before it is changed.
func looked(ctx context.Context, c *store.Change) error {
	if before := callOf(ctx).Before; before != nil {
		return before(c.LB, c.Put)
	}
	return nil
}

// rename gives the pools of a new tree their own names, where the caller had to tell them apart by others.
func rename(ctx context.Context, pools []*lbaas.Pool) {
	names := callOf(ctx).Names
	for _, p := range pools {
		if name, ok := names[p.Name]; ok {
			p.Name = name
		}
	}
}

// madeOf is the id of the object that an answer holds.
func madeOf(answer web.Reply) string {
	body, _ := answer.Body.(map[string]any)
	for _, object := range body {
		if o, ok := object.(interface{ identity() string }); ok {
			return o.identity()
		}
	}
	return ""
}

func (j basicJSON) identity() string { return j.ID }
