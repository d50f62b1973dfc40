"""Terraform for Oracle Cloud: the cluster network of GPU nodes that a plan needs.

Resource and attribute names follow the `oracle/oci` provider's documentation of
oci_core_instance_configuration and oci_core_cluster_network.
"""

import re

from trinch.planner.perf.hardware import PlanError
from trinch.planner.perf.layout import Plan

MAIN = """\
# {what}
# {nodes} nodes in use and {spares} spare: {gpus} GPUs on one RDMA cluster network.
terraform {{
  required_version = ">= 1.5"
  required_providers {{
    oci = {{
      source  = "oracle/oci"
      version = ">= 6.0"
    }}
  }}
}}

variable "compartment_id" {{
  description = "OCID of the compartment"
  type        = string
}}

variable "availability_domain" {{
  description = "Availability domain that has the capacity"
  type        = string
}}

variable "subnet_id" {{
  description = "OCID of the private subnet of the nodes"
  type        = string
}}

variable "image_id" {{
  description = "OCID of an HPC GPU image with the RDMA drivers"
  type        = string
}}

variable "ssh_public_key" {{
  description = "Key that may log in to the nodes"
  type        = string
}}

variable "nodes" {{
  description = "Nodes in use and spare"
  type        = number
  default     = {total}
}}

resource "oci_core_instance_configuration" "gpu_node" {{
  compartment_id = var.compartment_id
  display_name   = "{name}"

  instance_details {{
    instance_type = "compute"

    launch_details {{
      compartment_id      = var.compartment_id
      availability_domain = var.availability_domain
      shape               = "{shape}"

      metadata = {{
        ssh_authorized_keys = var.ssh_public_key
      }}

      create_vnic_details {{
        subnet_id        = var.subnet_id
        assign_public_ip = false
      }}

      source_details {{
        source_type             = "image"
        image_id                = var.image_id
        boot_volume_size_in_gbs = 512
      }}

      agent_config {{
        are_all_plugins_disabled = false
        is_management_disabled   = false
        is_monitoring_disabled   = false

        plugins_config {{
          name          = "Compute HPC RDMA Auto-Configuration"
          desired_state = "ENABLED"
        }}

        plugins_config {{
          name          = "Compute HPC RDMA Authentication"
          desired_state = "ENABLED"
        }}
      }}
    }}
  }}
}}

resource "oci_core_cluster_network" "training" {{
  compartment_id = var.compartment_id
  display_name   = "{name}"

  instance_pools {{
    instance_configuration_id = oci_core_instance_configuration.gpu_node.id
    size                      = var.nodes
    display_name              = "{name}"
  }}

  placement_configuration {{
    availability_domain = var.availability_domain
    primary_subnet_id   = var.subnet_id
  }}

  timeouts {{
    create = "6h"
  }}
}}

output "cluster_network_id" {{
  value = oci_core_cluster_network.training.id
}}
"""


def terraform(plan: Plan) -> str:
    """main.tf for the nodes of a plan whose site is Oracle's. PlanError for another site."""
    if not plan.machine.shape.startswith("BM.GPU"):
        raise PlanError(f"{plan.machine.shape} is no Oracle shape: plan with --site oci")
    total = plan.nodes + plan.spare_nodes
    name = re.sub(r"[^a-z0-9-]+", "-", f"trinch-{plan.workload.name}".lower()).strip("-")
    return MAIN.format(
        what=f"{name}: {plan.layout.label()}",
        nodes=plan.nodes,
        spares=plan.spare_nodes,
        total=total,
        gpus=total * plan.machine.gpu.gpus_per_node,
        name=name,
        shape=plan.machine.shape,
    )
