package operation

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/kerfpb"
)

// Run answers a command once per key. It runs f in a transaction of db, together with the row that keeps the answer; a repeat
// of the same request gets the first answer without f. An error of f undoes what f wrote; a definite one is kept as the answer.
//
// Errors of its own: Invalid for an empty key, Refused operation_key_reused for a key that was used with another request, and
// those of database.Write.
func Run[Res proto.Message](ctx context.Context, db *database.DB, key string, req proto.Message,
	f func(ctx context.Context, tx *database.Tx) (Res, error)) (Res, error) {
	var res Res
	var refusal error
	err := db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		var err error
		res, err = RunIn(ctx, tx, key, req, f)
		refusal = nil
		if fault.Definite(err) {
			refusal = err // Its row is to be committed.
			return nil
		}
		return err
	})
	if err == nil {
		err = refusal
	}
	if err != nil {
		var none Res
		return none, err
	}
	return res, nil
}

// RunIn is Run within a transaction that the caller has. A refusal is kept only if the caller lets the transaction commit.
func RunIn[Res proto.Message](ctx context.Context, tx *database.Tx, key string, req proto.Message,
	f func(ctx context.Context, tx *database.Tx) (Res, error)) (Res, error) {
	var none Res
	if key == "" {
		return none, fault.Invalid(fault.Violation{Field: "operation_key", Description: "must be set"})
	}
	hash, err := hashOf(req)
	if err != nil {
		return none, err
	}
	kept, err := find(tx, key)
	if err != nil {
		return none, err
	}
	if kept != nil {
		return replay[Res](kept, hash)
	}

	var res Res
	err = tx.Savepoint(func() error {
		var err error
		res, err = f(ctx, tx)
		return err
	})
	if !fault.Definite(err) {
		return none, err
	}
	if kept := keep(tx, key, hash, res, err); kept != nil {
		return none, kept
	}
	if err != nil {
		return none, err
	}
	return res, nil
}

// hashOf identifies a request: its type and its fields.
func hashOf(req proto.Message) ([]byte, error) {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("hash the request: %w", err)
	}
	h := sha256.New()
	h.Write([]byte(req.ProtoReflect().Descriptor().FullName()))
	h.Write([]byte{0})
	h.Write(data)
	return h.Sum(nil), nil
}

// answer is a row of the table.
type answer struct {
	hash, response, refusal []byte
}

func find(tx *database.Tx, key string) (*answer, error) {
	var a answer
	err := tx.QueryRow("SELECT request_hash, response, fault FROM operation WHERE key = ?", key).Scan(&a.hash, &a.response, &a.refusal)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the operation: %w", err)
	}
	return &a, nil
}

func replay[Res proto.Message](kept *answer, hash []byte) (Res, error) {
	var none Res
	if string(kept.hash) != string(hash) {
		return none, fault.Refused("operation_key_reused", "the operation key was used with another request")
	}
	if kept.refusal != nil {
		var detail kerfpb.Detail
		if err := proto.Unmarshal(kept.refusal, &detail); err != nil {
			return none, fmt.Errorf("read the kept refusal: %w", err)
		}
		return none, fault.FromProto(&detail)
	}
	res := none.ProtoReflect().New().Interface().(Res)
	if err := proto.Unmarshal(kept.response, res); err != nil {
		return none, fmt.Errorf("read the kept response: %w", err)
	}
	return res, nil
}

// keep stores the first answer: the response, or the refusal if there is one.
func keep(tx *database.Tx, key string, hash []byte, res proto.Message, refusal error) error {
	var err error
	var response, detail []byte
	if refusal != nil {
		detail, err = proto.Marshal(fault.ToProto(fault.As(refusal)))
	} else if response, err = proto.Marshal(res); response == nil {
		response = []byte{} // An empty message is an answer too, and not NULL.
	}
	if err != nil {
		return fmt.Errorf("write the answer down: %w", err)
	}
	err = tx.ExecLater("INSERT INTO operation (key, request_hash, response, fault) VALUES (?, ?, ?, ?)", key, hash, response, detail)
	if err != nil {
		return fmt.Errorf("keep the answer: %w", err)
	}
	return nil
}
