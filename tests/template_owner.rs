//! Which role of a template is meant, and what is said where it stands elsewhere.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test says what is wrong by panicking

use policyc::emit::role_of;
use policyc::template::Document;

const TEMPLATE: &str = "
Parameters: {Given: {Type: String}}
Resources:
  RoleA: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}
  RoleB: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}
  ProfileA: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [!Ref RoleA]}}
  Server: {Type: AWS::EC2::Instance, Properties: {IamInstanceProfile: !Ref ProfileA}}
  Launch: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {IamInstanceProfile: {Arn: {'Fn::GetAtt': ProfileA.Arn}}}}}
  Second: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: !If [C, {IamInstanceProfile: {Name: !Ref ProfileA}}, !Ref AWS::NoValue]}}
  Group: {Type: AWS::AutoScaling::AutoScalingGroup, Properties: {LaunchTemplate: {LaunchTemplateId: !Ref Launch, Version: '1'}}}
  Mixed:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties:
      MixedInstancesPolicy: {LaunchTemplate: {LaunchTemplateSpecification: {LaunchTemplateId: !GetAtt [Launch, LaunchTemplateId]}}}
  Fleet: {Type: AWS::EC2::EC2Fleet, Properties: {LaunchTemplateConfigs: [{LaunchTemplateSpecification: {LaunchTemplateId: !Ref Launch}}]}}
  Choosing: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [!If [C, !Ref RoleA, !Ref RoleB]]}}
  Half: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: !If [C, [!Ref RoleA], [!Ref Given]]}}
  Imported: {Type: AWS::EC2::Instance, Properties: {IamInstanceProfile: {'Fn::ImportValue': !Sub '${AWS::StackName}-profile'}}}
  ByName: {Type: AWS::EC2::Instance, Properties: {IamInstanceProfile: the-profile}}
  ByParameter: {Type: AWS::EC2::Instance, Properties: {IamInstanceProfile: !Ref Given}}
  Inner: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: x}}
  ByStack: {Type: AWS::EC2::Instance, Properties: {IamInstanceProfile: !GetAtt Inner.Outputs.Profile}}
  Module: {Type: 'My::Own::Profile::MODULE'}
  ByModule: {Type: AWS::EC2::Instance, Properties: {IamInstanceProfile: !Ref Module}}
  Included: {Type: AWS::EC2::Instance, Properties: {'Fn::Transform': {Name: AWS::Include}}}
  Api: {Type: AWS::Serverless::Function, Properties: {Handler: x}}
  ApiOwn: {Type: AWS::Serverless::Function, Properties: {Role: !GetAtt RoleB.Arn}}
  Bare: {Type: AWS::EC2::Instance, Properties: {ImageId: x}}
  Loop: {Type: AWS::EC2::Instance, Properties: {LaunchTemplate: {LaunchTemplateId: !Ref Loop}}}
  Bucket: {Type: AWS::S3::Bucket}
";

fn said(template: &str, asked: Option<&str>) -> String {
    let doc = Document::parse(template.as_bytes()).unwrap();
    role_of(&doc, asked).unwrap_or_else(|e| e.to_string())
}

#[test]
fn a_role_is_found_from_whoever_has_it() {
    for (asked, expected) in [
        ("RoleA", "RoleA"),
        ("ProfileA", "RoleA"),
        ("Server", "RoleA"),
        ("Launch", "RoleA"),
        ("Second", "RoleA"),
        ("Group", "RoleA"),
        ("Mixed", "RoleA"),
        ("Fleet", "RoleA"),
        ("ApiOwn", "RoleB"),
        ("Choosing", "`Choosing` has one of several roles, say which with `--role`: `RoleA`, `RoleB`"),
        ("Half", "the role of `Half` is role `RoleA`; or what parameter `Given` names: inject into the template that creates it"),
        (
            "Imported",
            "the role of `Imported` is what another stack exports as `${AWS::StackName}-profile`: inject into that stack's template",
        ),
        (
            "ByName",
            "the role of `ByName` is `the-profile`, which exists outside of the template: inject into the template it comes from",
        ),
        ("ByParameter", "the role of `ByParameter` is what parameter `Given` names: inject into the template that creates it"),
        ("ByStack", "the role of `ByStack` is output `Profile` of the nested stack `Inner`: inject into that stack's template"),
        (
            "ByModule",
            "the role of `ByModule` is made by `Module` when the stack is deployed: write the role out, or inject into what makes it",
        ),
        (
            "Included",
            "the role of `Included` is made by `Fn::Transform` when the stack is deployed: write the role out, or inject into what makes it",
        ),
        (
            "Api",
            "the role of `Api` is made by `Api` when the stack is deployed: write the role out, or inject into what makes it",
        ),
        ("Bare", "`Bare` of type `AWS::EC2::Instance` names no role and no instance profile"),
        ("Loop", "`Loop` of type `AWS::EC2::Instance` names no role and no instance profile"),
        ("Bucket", "`Bucket` of type `AWS::S3::Bucket` names no role and no instance profile"),
        ("Nobody", "nothing is called `Nobody`; the roles are: `RoleA` (of `Server`, `Launch`, `Second`), `RoleB`"),
    ] {
        assert_eq!(said(TEMPLATE, Some(asked)), expected, "{asked}");
    }
}

#[test]
fn without_a_name_only_the_one_role_is_meant() {
    let several = "there are several roles, say which with `--role`: `RoleA` (of `Server`, `Launch`, `Second`), `RoleB`";
    assert_eq!(said(TEMPLATE, None), several);
    for (template, expected) in [
        ("Resources: {R: {Type: AWS::IAM::Role}}", "R"),
        ("Resources: {B: {Type: AWS::S3::Bucket}}", "the template has no role of its own"),
        ("{}", "the template has no role of its own"),
        (
            "Resources: {I: {Type: AWS::EC2::Instance, Properties: {IamInstanceProfile: !ImportValue p}}}",
            "the role of `I` is what another stack exports as `p`: inject into that stack's template",
        ),
        (
            "Resources: {'Fn::ForEach::Roles': [N, [A, B], {'Role${N}': {Type: AWS::IAM::Role}}]}",
            "the role of `the template` is made by `Fn::ForEach::Roles` when the stack is deployed: write the role out, or inject into what makes it",
        ),
    ] {
        assert_eq!(said(template, None), expected, "{template}");
    }
    assert_eq!(said("Resources: {}", Some("X")), "nothing is called `X`; the roles are: none");
}
