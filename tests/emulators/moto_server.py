"""Runs moto's server, with a filter of DescribeInstances that moto does not know: `iam-instance-profile.arn`.

usage: moto_server.py -H ADDRESS -p PORT
"""

import sys

from moto.ec2 import utils
from moto.ec2.models.instances import Instance
from moto.server import main


def profile_arn(instance):
    association = instance.ec2_backend.iam_instance_profile_associations.get(instance.id)
    return association.iam_instance_profile.arn if association else None


Instance.profile_arn = property(profile_arn)
utils.filter_dict_attribute_mapping["iam-instance-profile.arn"] = "profile_arn"

if __name__ == "__main__":
    sys.exit(main())
