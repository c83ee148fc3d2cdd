// Enforces the NetworkPolicies of a node with kube-router's controller alone: iptables and ipset, no routes, no proxy.
package main

import (
	"flag"
	"log"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	config := options.NewKubeRouterConfig()
	kubeconfig := flag.String("kubeconfig", "", "the API server's address and a login")
	services := flag.String("services", "", "the network of the Services' addresses")
	flag.StringVar(&config.HostnameOverride, "node", "", "the node's name")
	flag.Parse()
	config.ClusterIPCIDRs = []string{*services}
	config.EnableIPv4, config.EnableIPv6, config.MetricsEnabled = true, false, false

	login, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	require(err)
	client, err := kubernetes.NewForConfig(login)
	require(err)
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods().Informer()
	namespaces := factory.Core().V1().Namespaces().Informer()
	policies := factory.Networking().V1().NetworkPolicies().Informer()
	stopped := make(chan struct{})
	factory.Start(stopped)
	cache.WaitForCacheSync(stopped, pods.HasSynced, namespaces.HasSynced, policies.HasSynced)

	tables, sets, err := netpol.NewIPTablesHandlers(config)
	require(err)
	controller, err := netpol.NewNetworkPolicyController(
		client, config, pods, policies, namespaces, &sync.Mutex{}, tables, sets)
	require(err)
	for informer, handler := range map[cache.SharedIndexInformer]cache.ResourceEventHandler{
		pods:       controller.PodEventHandler,
		namespaces: controller.NamespaceEventHandler,
		policies:   controller.NetworkPolicyEventHandler,
	} {
		_, err = informer.AddEventHandler(handler)
		require(err)
	}

	beats := make(chan *healthcheck.ControllerHeartbeat)
	go func() {
		for range beats {
		}
	}()
	running := &sync.WaitGroup{}
	running.Add(1)
	go controller.Run(beats, stopped, running)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	<-signals
	close(stopped)
	running.Wait()
}

func require(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
