// Request, grant and close with the client that OpenAPI Generator made for Go. Prints one line of JSON.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"

	"clients/gateway"
)

const wait = "wait=30"

func main() {
	authorization := os.Getenv("GATEWAY_CLIENT_AUTHORIZATION")
	configuration := gateway.NewConfiguration()
	configuration.Servers = gateway.ServerConfigurations{{URL: os.Getenv("GATEWAY_CLIENT_URL")}}
	client := gateway.NewAPIClient(configuration)
	ctx := context.WithValue(context.Background(), gateway.ContextAccessToken, os.Getenv("GATEWAY_CLIENT_KEY"))

	request := gateway.NewHandoffRequest()
	request.SetRequestedBy("op-7")
	request.SetMetadata(map[string]string{"case": "case-0042"})
	opened, _, err := client.CommandsAPI.RequestHandoff(ctx, authorization).
		IdempotencyKey(rand.Text()).Prefer(wait).HandoffRequest(*request).Execute()
	check("request", err)
	handoff := opened.GetHandoffId()

	body := gateway.NewAccessGrantBody()
	body.SetOperator("op-7")
	grant, _, err := client.SessionsAPI.CreateAccessGrant(ctx, authorization, handoff).AccessGrantBody(*body).Execute()
	check("grant", err)

	wrong := gateway.NewHandoffCloseBody(gateway.UnableToCompleteAsCloseResult(
		gateway.NewUnableToComplete("unable_to_complete", "Not a slug")))
	pointer := pointerOf(client.CommandsAPI.CloseHandoff(ctx, authorization, handoff).
		IdempotencyKey(rand.Text()).HandoffCloseBody(*wrong).Execute())

	report := gateway.NewHandoffCloseBody(gateway.CompletedAsCloseResult(
		gateway.NewCompleted("completed", gateway.SUBMITTED)))
	key := rand.Text()
	closing := client.CommandsAPI.CloseHandoff(ctx, authorization, handoff).
		IdempotencyKey(key).Prefer(wait).HandoffCloseBody(*report)
	closed, _, err := closing.Execute()
	check("close", err)
	_, again, err := closing.Execute()
	check("close again", err)
	if again.Header.Get("Idempotency-Replayed") != "true" {
		log.Fatal("the retry is another command")
	}

	event := gateway.NewAuthorizationWatchEvent(
		"1.0", rand.Text(), "/clients", "collate-gateway.authorization.watch.v1", authorization)
	// The generator knows one type of success, that of 200. A 202 would be an error of its decoder, so wait.
	watched, _, err := client.CommandsAPI.SendCommand(ctx).Prefer(wait).
		CommandEvent(gateway.AuthorizationWatchEventAsCommandEvent(event)).Execute()
	check("event", err)
	if watched.GetStatus() != "finished" {
		log.Fatalf("the event's command is %s", watched.GetStatus())
	}

	line, err := json.Marshal(map[string]any{
		"handoffId": handoff,
		"grantUrl":  grant.GetUrl(),
		"status":    closed.GetStatus(),
		"outcome":   closed.GetOutcome(),
		"pointer":   pointer,
	})
	check("json", err)
	fmt.Println(string(line))
}

func pointerOf(_ *gateway.CommandOutcome, _ *http.Response, err error) string {
	failed, ok := err.(*gateway.GenericOpenAPIError)
	if !ok {
		log.Fatalf("a wrong report got %v", err)
	}
	problem, ok := failed.Model().(gateway.ProblemDetails)
	if !ok || len(problem.GetErrors()) == 0 {
		log.Fatalf("the problem names no field: %s", failed.Body())
	}
	return problem.GetErrors()[0].GetPointer()
}

func check(what string, err error) {
	if err != nil {
		log.Fatalf("%s: %v", what, err)
	}
}
