// A function on the official Go client; ../README.md says what all of these fixtures do.
package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Name *string `json:"name"`
	Log  *string `json:"log"`
	Fail bool    `json:"fail"`
}

type greeting struct {
	Hello     *string `json:"hello"`
	RequestID string  `json:"requestId"`
}

// boom is an error whose type, which Lambda reports, is its name.
type boom struct{}

func (boom) Error() string { return "boom" }

func handle(ctx context.Context, e event) (greeting, error) {
	if e.Log != nil {
		fmt.Println(*e.Log)
	}
	if e.Fail {
		return greeting{}, boom{}
	}
	invocation, _ := lambdacontext.FromContext(ctx)
	return greeting{Hello: e.Name, RequestID: invocation.AwsRequestID}, nil
}

func main() {
	lambda.Start(handle)
}
